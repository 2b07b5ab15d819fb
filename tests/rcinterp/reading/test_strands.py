"""Whether both strands get the same logits: by hand, for models of many kinds, and on the command line."""

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from torch import nn

from rcinterp.cli import main
from rcinterp.data.sequences import decode, write_fasta
from rcinterp.errors import InputError
from rcinterp.reading.strands import strand_consistency
from rcinterp.training.models import compact_model
from rcinterp.training.saving import save_model
from rclayers import Conjoined, reverse_complement


@pytest.fixture
def plain():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv1d(4, 5, 7), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(5, 2))


def test_numbers_by_hand(plain, dna):
    x = dna(23, 40, 0)
    found = strand_consistency(plain, x, batch_size=10)
    with torch.no_grad():
        forward, reverse = (plain(strand).double().numpy() for strand in (x, reverse_complement(x)))
    for task, row in found.table.set_index("task").iterrows():
        f, r = forward[:, task], reverse[:, task]
        assert row["logit_correlation"] == pytest.approx(np.corrcoef(f, r)[0, 1])
        assert row["rc_difference"] == pytest.approx(max(abs(f - r)))
        assert row["mean_rc_difference"] == pytest.approx(np.mean(abs(f - r)))
        assert row["flipped"] == np.mean((f > 0) != (r > 0))
        assert row["conjoined_flipped"] == np.mean((f > 0) != (f + r > 0))
        own = found.logits[found.logits["task"] == task]
        np.testing.assert_allclose(own["forward"], f, atol=1e-6)
        np.testing.assert_allclose(own["reverse"], r, atol=1e-6)
    worst = found.worst(1, 2)
    assert worst["sequence"].tolist() == np.argsort(-abs(forward - reverse)[:, 1])[:2].tolist()
    assert found.check.first_break == "0"
    assert "the first layer to break it is 0: Conv1d" in str(found)
    assert plain.training


def test_models_that_keep_the_symmetry(plain, dna):
    x = dna(11, 41, 0)
    for model in (Conjoined(plain), compact_model(1, 3, 41, widths=(8,), pool=10, stride=4)):
        found = strand_consistency(model, x)
        assert found.table["rc_difference"].max() < 1e-5
        assert found.table["flipped"].max() == 0
        assert found.check.is_invariant


@pytest.mark.parametrize("end", [nn.Sigmoid(), nn.Softmax(dim=1)])
def test_a_probability_is_read_by_its_logit(plain, dna, end):
    x = dna(11, 41, 0)
    found = strand_consistency(nn.Sequential(plain, end), x).logits
    with torch.no_grad():
        z = plain(x).double()
    expected = z if isinstance(end, nn.Sigmoid) else z - z.flip(1)
    np.testing.assert_allclose(found.loc[found["task"] == 1, "forward"], expected[:, 1], atol=1e-5)


def test_further_inputs_turn_with_their_sequences(others, dna):
    torch.manual_seed(0)
    x, control = dna(6, 100, 0), torch.rand(6, 2, 100)
    model = others.BPNet().eval()
    found = strand_consistency(model, (x, control), func=lambda y: y[1]).logits
    with torch.no_grad():
        expected = model(reverse_complement(x), reverse_complement(control))[1]
    np.testing.assert_allclose(found["reverse"], expected[:, 0], atol=1e-5)


def test_names_of_the_worst_stand_in_the_figure(plain, dna):
    names = [f"peak_{i}" for i in range(9)]
    found = strand_consistency(plain, pd.Series(decode(dna(9, 40, 0)), index=names))
    shown = {text.get_text() for text in found.plot(1).axes[0].texts}
    assert shown == set(found.worst(1)["name"])
    assert shown <= set(names)


def test_what_cannot_be_read(plain, dna):
    with pytest.raises(InputError, match="got 1 sequence, expected at least two"):
        strand_consistency(plain, dna(1, 40, 0))
    with torch.no_grad():
        plain[4].bias[0] = torch.nan
    with pytest.raises(InputError, match="logits are not finite"):
        strand_consistency(plain, dna(5, 40, 0))


def test_on_the_command_line(dna, tmp_path):
    torch.manual_seed(0)
    save_model(compact_model(1, 3, 41, rc=False, widths=(8,), pool=10, stride=4), tmp_path / "model")
    write_fasta(tmp_path / "x.fa", decode(dna(9, 41, 0)))
    arguments = ["strands", tmp_path / "model", "--sequences", tmp_path / "x.fa", "--out", tmp_path / "out"]
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{tmp_path / 'out' / 'strands.tsv'}\n"
    assert "% of the sequences called from one strand alone" in result.stderr
    assert "the first layer to break it is conv1" in result.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("strands.tsv", "strand_logits.tsv", "strands_0.png", "strands_0.svg", "run.toml")
    }
    assert len(pd.read_csv(tmp_path / "out/strand_logits.tsv", sep="\t")) == 9

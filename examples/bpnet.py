"""A BPNet-like model of reads: control tracks go in by args=, func= chooses counts or profile.

python examples/bpnet.py [FOLDER]

The reads are simulated: about the best CTCF site of each bound sequence, and a few everywhere, as the control has.
"""

import torch
from common import COLUMNS, MOTIF, load, read_arguments, train
from shapes import BPNet
from torch import Tensor
from torch.nn import functional

import rcinterp
from rcinterp.reading.logits import profile_score
from rclayers import reverse_complement


def simulate_reads(data: rcinterp.Dataset, seed: int) -> tuple[Tensor, Tensor]:
    """Reads and control reads at each base of both strands, (n, 2, L) each."""
    pwm = torch.tensor(rcinterp.load_motifs("encode")[MOTIF]).float().clamp_min(1e-3).log()
    scans = [functional.conv1d(data.x, kernel[None])[:, 0] for kernel in (pwm, reverse_complement(pwm))]
    site = torch.maximum(*scans).argmax(1) + pwm.shape[1] // 2
    peak = torch.exp(-((torch.arange(data.length) - site[:, None]) ** 2) / (2 * 10.0**2))
    generator = torch.Generator().manual_seed(seed)
    rate = 0.1 + 2 * data.y[:, :, None] * peak[:, None].expand(-1, 2, -1)
    return torch.poisson(rate, generator), torch.poisson(torch.full_like(rate, 0.1), generator)


def main() -> None:
    """Print the counts' table and the profile's."""
    given = read_arguments(__doc__)
    training, valid = load(given)
    reads, control = simulate_reads(training, 0)
    model = BPNet(n_filters=16, n_layers=3, width=21)
    inner = slice(model.trimming, training.length - model.trimming)

    def loss(output: tuple[Tensor, Tensor], rows: Tensor) -> Tensor:
        profile, counts = output
        true = reads[rows][:, :, inner]
        shape = -(true.flatten(1) * profile.flatten(1).log_softmax(1)).sum(1).mean()
        return shape + 100 * functional.mse_loss(counts, true.sum((1, 2))[:, None].log1p())

    train(model, (training.x, control), loss, epochs=3 * given.epochs, rate=5e-3)
    _, valid_control = simulate_reads(valid, 1)  # the rows of the positives come first, as load_dataset has them
    for head, func in (("counts", lambda y: y[1]), ("profile", lambda y: profile_score(y[0]))):
        found = rcinterp.interpret(model, valid.positives(), valid.negatives(), func=func, args=(valid_control,))
        print(f"\n{head}: layer {found.layer!r}\n" + "\n".join(found.notes()))
        print(found.table[COLUMNS].head(4).to_string(index=False, float_format="{:.3g}".format))


if __name__ == "__main__":
    main()

import gzip
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from Bio.Seq import Seq
from Bio.SeqRecord import SeqRecord
from hypothesis import given
from hypothesis import strategies as st

import rcinterp
from rcinterp.data.sequences import (
    as_one_hot,
    as_records,
    codes_to_one_hot,
    decode,
    name_record,
    names_of,
    one_hot,
    read_fasta,
    write_fasta,
)
from rcinterp.errors import InputError

LETTERS = "ACGTNRYSWKMBDHVacgtnryswkmbdhv"


def canonical(sequence):
    return "".join(letter if letter in "ACGT" else "N" for letter in sequence.upper())


def sets_of_sequences(alphabet, one_length=True):
    def of_lengths(length):
        least, most = (length, length) if one_length else (1, 13)
        return st.lists(st.text(alphabet, min_size=least, max_size=most), min_size=1, max_size=7)

    return st.integers(1, 11).flatmap(of_lengths)


def write_to_nowhere(sequences):
    write_fasta("nowhere/a.fa", sequences)


def load_dataset(sequences):
    return rcinterp.load_dataset(sequences, ["ACGT"])


def strand_consistency(sequences):
    return rcinterp.strand_consistency(torch.nn.Conv1d(4, 1, 3), sequences)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "set.fa"


# one_hot ------------------------------------------------------------------------------------------------------------


def test_one_hot_against_a_slow_loop():
    sequences = ["ACGTNRY", "ttgcaaN", "SWKMBDH"]
    expected = torch.zeros(3, 4, 7)
    for i, sequence in enumerate(sequences):
        for position, letter in enumerate(sequence.upper()):
            for row, base in enumerate("ACGT"):
                expected[i, row, position] = float(letter == base)
    assert torch.equal(one_hot(sequences), expected)


@pytest.mark.parametrize("letter", list("NRYSWKMBDHVnryswkmbdhv"))
def test_ambiguity_letters_are_zero_columns(letter):
    assert one_hot([f"A{letter}C"])[0].sum(dim=0).tolist() == [1, 0, 1]


@pytest.mark.parametrize("container", [list, tuple, pd.Series, lambda s: pd.Series(s, index=["a", "a"])])
def test_one_hot_takes_every_container(container):
    assert torch.equal(one_hot(container(["ACG", "TTN"])), one_hot(["ACG", "TTN"]))


def test_one_str_is_one_sequence_for_one_hot():
    assert torch.equal(one_hot("ACGTT"), one_hot(["ACGTT"]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.int8, torch.bool])
def test_one_hot_has_the_dtype_asked_for(dtype):
    x = one_hot(["ACGTN", "TTTTT"], dtype=dtype)
    assert x.dtype == dtype
    assert torch.equal(x.float(), one_hot(["ACGTN", "TTTTT"]))


@given(sets_of_sequences(LETTERS))
def test_decode_inverts_one_hot(sequences):
    assert decode(one_hot(sequences)) == [canonical(sequence) for sequence in sequences]


@given(sets_of_sequences("ACGTN"))
def test_reverse_complement_of_the_string_is_the_flip_of_the_array(sequences):
    complemented = [sequence[::-1].translate(str.maketrans("ACGT", "TGCA")) for sequence in sequences]
    assert torch.equal(one_hot(complemented), one_hot(sequences).flip(1, 2))


@pytest.mark.parametrize(
    ("sequences", "message"),
    [
        ([], "one_hot: got no sequences, expected at least one"),
        ("", "one_hot: record 0 has no sequence"),
        (["ACG", ""], "one_hot: record 1 has no sequence"),
        (["ACG", None], "one_hot: record 1 is NoneType, expected str"),
        (pd.Series(["ACG", np.nan], index=["a", "b"]), "one_hot: record 1 \\('b'\\) is float, expected str"),
        (["ACG", "AC", "A"], r"record 1 is 2 bp long, but record 0 is 3 bp \(all are 1 to 3 bp\).*cut windows of one"),
        (pd.Series(["ACG", "AC"], index=["a", "chr1:5-7"]), "record 1 \\('chr1:5-7'\\) is 2 bp long"),
        (["ACGT", "ACGT", "AC-T"], "record 2 has '-' at position 2; expected A, C, G, T, N"),
        (["ACé"], "record 0 has 'é' at position 2"),
        (pd.Series(["AAA", "AEA"], index=["a", "b"]), "record 1 \\('b'\\) has 'E' at position 1"),
        (["ACG", "AUG"], "record 1 has 'U' at position 1.*replace U by T"),
        (["acg", "aug"], "record 1 has 'u' at position 1.*replace U by T"),
        (7, "one_hot: got int, expected a list or Series of str"),
        (Path("a.fa"), r"expected a list or Series of str; read_fasta\(path\) reads a file"),
        ((sequence for sequence in ["ACG"]), r"got generator.*convert it with list\(...\)"),
    ],
)
def test_one_hot_says_what_is_wrong(sequences, message):
    with pytest.raises(InputError, match=message):
        one_hot(sequences)


SEQ_RECORD = SeqRecord(Seq("ACGT"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.eye(4), r"is ndarray, expected str; stack one-hot arrays of one shape with np\.stack\."),
        (np.array(["A"]), "is ndarray, expected str"),
        (torch.eye(4), r"is Tensor, expected str; stack one-hot arrays of one shape with torch\.stack\."),
        (b"ACGT", r"is bytes, expected str; decode it with \.decode\(\)\."),
        (None, "is NoneType, expected str; remove the record or fill in its sequence"),
        (7, "is int, expected str"),
        (pd.NA, "is NAType, expected str"),
        (float("nan"), "is float, expected str"),
        (pd.Series(["ACGT"]), "is Series, expected str"),
        (["ACGT"], "is list, expected str"),
        (SEQ_RECORD, r"is SeqRecord, expected str; give str\(record\.seq\)\."),
        (SEQ_RECORD.seq, r"is Seq, expected str; give str\(\.\.\.\) of it\."),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("take", [one_hot, as_one_hot, as_records, write_to_nowhere, load_dataset, strand_consistency])
def test_what_is_no_sequence_is_told_by_its_type(take, wrong, message):
    for given_as, i in (([wrong] * 3, 0), (["ACGT", wrong], 1), (pd.Series(["ACGT", wrong], dtype=object), 1)):
        with pytest.raises(InputError, match=rf"record {i} {message}"):
            take(given_as)


def test_advice_for_rna_works():
    assert decode(one_hot(["AUG".replace("U", "T")])) == ["ATG"]


def test_as_records_keeps_the_index_and_any_lengths():
    records = pd.Series(["ACG", "T"], index=["a", "b"])
    assert as_records(records) is records
    assert as_records(("ACG", "T")).tolist() == ["ACG", "T"]


def test_name_record():
    assert name_record(pd.Index(["a", "b"]), 1) == "record 1 ('b')"
    assert name_record(pd.RangeIndex(2), 1) == "record 1"


def test_codes_to_one_hot():
    assert torch.equal(codes_to_one_hot(np.array([[0, 1, 2, 3, 4]], dtype=np.uint8)), one_hot(["ACGTN"]))


# decode -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("convert", [torch.Tensor.bool, torch.Tensor.int, torch.Tensor.double, torch.Tensor.numpy])
def test_decode_takes_any_type(convert):
    assert decode(convert(one_hot(["ACGTN", "TTTTT"]))) == ["ACGTN", "TTTTT"]


@pytest.mark.parametrize("column", [[0.5, 0.5, 0, 0], [1, 1, 0, 0], [0, 2, 0, 0], [1, 0, 0, 0.25], [0, -1, 0, 0]])
def test_decode_refuses_what_is_not_one_hot(column):
    x = one_hot(["ACG", "ACG"])
    x[1, :, 2] = torch.tensor(column)
    with pytest.raises(InputError, match=r"decode: record 1 has the column \[.*\] at position 2; expected one-hot"):
        decode(x)


def test_decode_refuses_strings():
    with pytest.raises(InputError, match=r"decode: got list, expected a tensor or array \(N, 4, L\)"):
        decode(["ACG"])


# as_one_hot ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_as_one_hot_returns_a_float_tensor_as_it_is(dtype):
    x = one_hot(["ACGTN", "TTTTT"], dtype=dtype).requires_grad_()
    assert as_one_hot(x) is x


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool])
def test_as_one_hot_makes_other_tensors_float(dtype):
    x = as_one_hot(one_hot(["ACGTN", "TTTTT"], dtype=dtype))
    assert x.dtype == torch.float32
    assert torch.equal(x, one_hot(["ACGTN", "TTTTT"]))


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", ">f4", "int8", "bool"])
def test_as_one_hot_takes_arrays(dtype):
    x = as_one_hot(one_hot(["ACGTN", "TTTTT"]).numpy().astype(dtype))
    assert x.dtype == torch.float32
    assert torch.equal(x, one_hot(["ACGTN", "TTTTT"]))


def test_as_one_hot_takes_flipped_and_read_only_arrays():
    array = one_hot(["ACGTN", "TTTTT"]).numpy()
    assert decode(as_one_hot(array[:, ::-1, ::-1])) == ["NACGT", "AAAAA"]
    array.flags.writeable = False
    assert decode(as_one_hot(array)) == ["ACGTN", "TTTTT"]


def test_as_one_hot_shares_a_float32_array():
    array = one_hot(["ACGTN"]).numpy()
    assert np.shares_memory(as_one_hot(array).numpy(), array)


def test_as_one_hot_takes_strings_and_files(path):
    expected = one_hot(["ACGTN", "TTTTT"])
    write_fasta(path, ["ACGTN", "TTTTT"])
    for given_as in (["ACGTN", "TTTTT"], pd.Series(["ACGTN", "TTTTT"]), np.array(["ACGTN", "TTTTT"]), path, str(path)):
        assert torch.equal(as_one_hot(given_as), expected)


def test_one_str_is_a_path_for_as_one_hot():
    with pytest.raises(InputError, match=r"ACGT: no such file.*put a single sequence in a list: \['ACGT'\]"):
        as_one_hot("ACGT")
    with pytest.raises(InputError, match=r"cannot be read \(File name too long\).*put a single sequence in a list"):
        as_one_hot("ACGT" * 250)
    with pytest.raises(InputError, match=r"peaks.fa: no such file, expected a FASTA file; check the path\.$"):
        as_one_hot("peaks.fa")
    assert decode(as_one_hot(["ACGT"])) == ["ACGT"]


def test_as_one_hot_advises_a_transposition_that_works():
    x = one_hot(["ACGTN", "TTTTT", "GGGGG"])
    with pytest.raises(InputError, match=re.escape("got x of shape (3, 5, 4), expected (N, 4, L).")) as error:
        as_one_hot(x.transpose(1, 2))
    assert "use x.transpose(1, 2)" in str(error.value)
    assert torch.equal(as_one_hot(x.transpose(1, 2).transpose(1, 2)), x)
    with pytest.raises(InputError, match=r"use x.swapaxes\(1, 2\)"):
        as_one_hot(x.numpy().swapaxes(1, 2))
    assert torch.equal(as_one_hot(x.numpy().swapaxes(1, 2).swapaxes(1, 2)), x)


def test_as_one_hot_advises_for_a_single_sequence():
    x = one_hot(["ACGTN"])
    with pytest.raises(InputError, match=r"of shape \(4, 5\).*use x\[None\]"):
        as_one_hot(x[0])
    with pytest.raises(InputError, match=r"of shape \(5, 4\).*use x.T\[None\]"):
        as_one_hot(x[0].T)
    assert torch.equal(as_one_hot(x[0][None]), x)
    assert torch.equal(as_one_hot(x[0].T.T[None]), x)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (
            torch.zeros(2, 3, 7),
            r"got x of shape \(2, 3, 7\), expected \(N, 4, L\), rows A, C, G, T. For strings, use one_hot",
        ),
        (torch.zeros(0, 4, 7), "expected .* with at least one sequence of at least 1 bp"),
        (torch.zeros(2, 4, 0), "expected .* with at least one sequence of at least 1 bp"),
        (torch.full((2, 4, 3), torch.nan), "with NaN or infinite values"),
        (torch.full((2, 4, 3), torch.inf), "with NaN or infinite values"),
        (np.ma.masked_array(np.ones((2, 4, 3)), mask=np.eye(4, 3)[None].repeat(2, 0)), r"with masked .*x\.filled\(0\)"),
        (np.zeros((2, 4, 3), dtype=complex), r"an array of complex128, expected numbers.*x.astype\('float32'\)"),
        (torch.zeros(2, 4, 3, dtype=torch.complex64), r"tensor of torch\.complex64, expected real numbers; .* x\.real"),
        (torch.ones(2, 4, 3).to_sparse(), "got a tensor that is sparse_coo, expected dense, .*; give a plain tensor"),
        (torch.ones(2, 4, 3, device="meta"), "got a tensor that has no values"),
        ([], "as_one_hot: got no sequences"),
        (["ACG", "AX"], "as_one_hot: record 1 is 2 bp long"),
        ({"a": "ACG"}, "as_one_hot: got dict, expected a list or Series of str"),
        (None, "as_one_hot: got NoneType, expected a list or Series of str"),
    ],
)
def test_as_one_hot_says_what_is_wrong(x, message):
    with pytest.raises(InputError, match=message):
        as_one_hot(x)


def test_as_one_hot_names_the_origin():
    with pytest.raises(InputError, match=r"^interpret: positives: got x of shape"):
        as_one_hot(torch.zeros(2, 3, 7), origin="interpret: positives")


def test_as_one_hot_names_the_file_of_unequal_lengths(path):
    write_fasta(path, ["ACG", "ACGTA"], names=["a", "b"])
    with pytest.raises(InputError, match=r"set.fa: record 1 \('b'\) is 5 bp long, but record 0 is 3 bp"):
        as_one_hot(path)


# read_fasta ---------------------------------------------------------------------------------------------------------


def test_read_fasta_returns_named_upper_case_sequences(path):
    path.write_text(">a first word\nACgt\nNN\n>b\nrTT\n>a\nG\n")
    with pytest.warns(UserWarning, match="the name 'a' stands there before; tell"):
        records = read_fasta(path)
    assert records.tolist() == ["ACGTNN", "NTT", "G"]
    assert records.index.tolist() == ["a", "b", "a"]
    assert (records.name, records.index.name) == ("sequence", "name")


@pytest.mark.parametrize(
    "content",
    [
        b">a\nACGT\n>b\nTTN\n",
        b">a\nACGT\n>b\nTTN",
        b">a\r\nAC\r\nGT\r\n>b\r\nTTN\r\n",
        b">a\rACGT\r>b\rTTN\r",
        b"\n\n>a\n\nAC\nGT\n\n\n>b\nTTN\n\n",
        b"\xef\xbb\xbf>a\nACGT\n>b\nTTN\n",
        b"> a\nac gt\n>b\tx\nttr  \n",
        gzip.compress(b">a\nACGT\n", mtime=0) + gzip.compress(b">b\nTTN\n", mtime=0),
    ],
    ids=["plain", "no final newline", "Windows", "old Mac", "blank lines", "byte order mark", "spaces", "gzip members"],
)
def test_read_fasta_tolerates(path, content):
    path.write_bytes(content)
    assert read_fasta(path).to_dict() == {"a": "ACGT", "b": "TTN"}


def test_read_fasta_knows_gzip_by_its_first_bytes(tmp_path):
    (tmp_path / "zipped.fa").write_bytes(gzip.compress(b">a\nACGT\n"))
    (tmp_path / "plain.fa.gz").write_bytes(b">a\nACGT\n")
    assert read_fasta(tmp_path / "zipped.fa").equals(read_fasta(str(tmp_path / "plain.fa.gz")))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty; expected FASTA records"),
        (b" \n\n", "the file is empty"),
        (gzip.compress(b"", mtime=0), "the file is empty"),
        (b"ACGT\n>a\nACGT\n", "starts with .*, expected '>' and a name; convert the file to FASTA"),
        (b"@read\nACGT\n+\nIIII\n", "starts with '@read.*expected '>'"),
        (b">a\nACGT\n>b\n>c\nACGT\n", r"record 1 \('b'\) has no sequence; remove the record or fill in its sequence"),
        (b">a\nACGT\n>b\n", r"record 1 \('b'\) has no sequence"),
        (b">a\nACGT\n>b\nAC\nGU\n", r"record 1 \('b'\) has 'U' at position 3; .*RNA must be converted to DNA first"),
        (b">a\nACGT\n>b\nMKELV\n", r"record 1 \('b'\) has 'E' at position 2; .*mask or remove it"),
        (b">a\nACGT\n >b\nACGT\n", r"record 0 \('a'\) has '>' at position 4"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe\x00", "is not text, expected a FASTA file, plain or gzip"),
        (gzip.compress(b">a\nACGT\n" * 50, mtime=0)[:-12], "is a damaged gzip file .*copy or download it again"),
        (b"\x1f\x8b", "is a damaged gzip file"),
        (b"\x1f\x8b" + b"ACGT" * 9, "is a damaged gzip file"),
        (gzip.compress(b"\xff\xfe\x00", mtime=0), "is not text"),
    ],
)
def test_read_fasta_says_what_is_wrong_and_where(path, content, message):
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        read_fasta(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_read_fasta_of_no_file(tmp_path):
    with pytest.raises(InputError, match=r"missing.fa: no such file, expected a FASTA file; check the path\."):
        read_fasta(tmp_path / "missing.fa")
    with pytest.raises(InputError, match="is a folder, expected a FASTA file; name a file in it"):
        read_fasta(tmp_path)


# write_fasta --------------------------------------------------------------------------------------------------------


@given(sequences=sets_of_sequences("ACGTN", one_length=False), suffix=st.sampled_from([".fa", ".fa.gz"]))
def test_read_fasta_inverts_write_fasta(tmp_path_factory, sequences, suffix):
    path = tmp_path_factory.mktemp("fasta") / f"set{suffix}"
    names = [f"chr{i % 2}:{i}" for i in range(len(sequences))]
    write_fasta(path, sequences, names)
    records = read_fasta(path)
    assert records.tolist() == sequences
    assert records.index.tolist() == names
    write_fasta(path, records)
    assert read_fasta(path).equals(records)


def test_write_fasta_is_deterministic(tmp_path, monkeypatch):
    write_fasta(tmp_path / "one.fa.gz", ["ACGT"], ["a"])
    monkeypatch.setattr("time.time", lambda: 1e9)
    write_fasta(tmp_path / "two.fa.gz", ["ACGT"], ["a"])
    assert (tmp_path / "one.fa.gz").read_bytes() == (tmp_path / "two.fa.gz").read_bytes()
    assert gzip.decompress((tmp_path / "one.fa.gz").read_bytes()) == b">a\nACGT\n"


def test_write_fasta_numbers_what_has_no_names(path):
    write_fasta(path, ["ACGT", "ttr"])
    assert path.read_bytes() == b">0\nACGT\n>1\nttr\n"


@pytest.mark.parametrize(
    ("sequences", "names", "message"),
    [
        ([], None, "write_fasta: got no sequences"),
        (["ACG", ""], None, "write_fasta: record 1 has no sequence"),
        (["ACG", "A\nG"], None, "write_fasta: record 1 has '\\\\n' at position 1"),
        (["ACG", "A"], ["a"], "write_fasta: got 1 names for 2 sequences; expected one name each"),
        (["ACG", "A"], ["a", "\udcff"], r"write_fasta: name 1 is '\\udcff', which cannot be written as text \(UTF-8: "),
        (
            ["ACG", "A"],
            ["a", "b\x07 c"],
            r"write_fasta: name 1 is 'b\\x07 c', which has a character that cannot be seen",
        ),
        (
            ["ACG", "A"],
            ["a\u200b", "b"],
            r"write_fasta: name 0 is 'a\\u200b', which has a character that cannot be seen",
        ),
        (["ACG", "A"], ["a", "b\n"], "write_fasta: name 1 is 'b\\\\n', expected one line; remove its line breaks"),
    ],
)
def test_write_fasta_says_what_is_wrong(path, sequences, names, message):
    with pytest.raises(InputError, match=message):
        write_fasta(path, sequences, names)
    assert not path.exists()


def test_write_fasta_into_no_folder(tmp_path):
    with pytest.raises(InputError, match=r"cannot write .*two.fa \(No such file or directory\); check the path"):
        write_fasta(tmp_path / "none" / "two.fa", ["ACG"])


# Real data ----------------------------------------------------------------------------------------------------------


def test_real_fasta(reference, tmp_path):
    folder = reference / "ctcf_gm12878_hg19/w300pad"
    records = read_fasta(folder / "train_chr21.pos.fa.gz")
    assert records.index[0] == "chr21:9485035-9485335"
    x = as_one_hot(folder / "train_chr21.pos.fa.gz")
    assert x.shape == (444, 4, 300)
    assert decode(x) == records.tolist()
    write_fasta(tmp_path / "copy.fa.gz", records)
    assert read_fasta(tmp_path / "copy.fa.gz").equals(records)


def test_names_of_sequences(tmp_path):
    write_fasta(tmp_path / "two.fa", ["ACGT", "TTT"], names=["chr1:5-9", "b"])
    assert names_of(tmp_path / "two.fa") == names_of(str(tmp_path / "two.fa")) == ["chr1:5-9", "b"]
    assert names_of(read_fasta(tmp_path / "two.fa")) == ["chr1:5-9", "b"]
    assert names_of(["ACGT"]) is None
    assert names_of(pd.Series(["ACGT"])) is None
    assert names_of(torch.zeros(2, 4, 5)) is None


def test_names_that_repeat_are_told_with_the_line(tmp_path):
    path = tmp_path / "peaks.fa"
    path.write_text(">a\nAC\nGT\n>b\nACGT\n>a again\nACGT\n>b\nACGT\n")
    with pytest.warns(UserWarning, match=r"peaks\.fa: line 6: the name 'a' stands there before, as do 1 others; tell"):
        assert read_fasta(path).index.tolist() == ["a", "b", "a", "b"]


def test_records_without_a_name_are_told_with_the_line(path):
    path.write_text(">a\nAC\nGT\n>\nACGT\n>  \nACGT\n>b\nACGT\n")
    with pytest.warns(
        UserWarning, match=r"set\.fa: line 4: record 1 has no name behind '>', as have 1 others; name it"
    ):
        assert read_fasta(path).index.tolist() == ["a", "", "", "b"]


def test_the_line_of_a_letter_that_is_no_base(path):
    path.write_text("\n>a\nACGT\n>b\nAC\nGU\n")
    with pytest.raises(InputError, match=r"'b'\) has 'U' at position 3; .*\(the record begins in line 4\)\.$"):
        read_fasta(path)


def test_many_small_records_take_little_memory_and_no_more_than_there_is(path, monkeypatch):
    n = 200_000
    path.write_bytes(gzip.compress(b">\nA\n" * n))
    tracemalloc.start()
    with pytest.warns(UserWarning, match=f"as have {n - 1} others"):
        assert len(read_fasta(path)) == n
    assert tracemalloc.get_traced_memory()[1] < 100 * n
    tracemalloc.stop()
    path.write_bytes(gzip.compress(b">\nA\n" * 1_000_000))
    monkeypatch.setattr("rcinterp.memory.available_memory", lambda: 10**8)
    with pytest.raises(
        InputError, match=r"set\.fa: reading its 1000000 records takes about .* of memory.*; split the file"
    ):
        read_fasta(path)

"""Files: text that is read whole or refused, and files and folders that are written whole or not at all."""

from rcinterp.files.locks import held
from rcinterp.files.reading import (
    BGZIP_END,
    GZIP_MAGIC,
    digest_of_file,
    is_bgzip,
    is_pipe,
    open_input,
    pipes_kept,
    read_bytes,
    read_text,
)
from rcinterp.files.text import parse_number, parse_whole, printable, split_lines, split_words
from rcinterp.files.writing import (
    Together,
    check_file_place,
    check_names,
    check_place,
    finish,
    put_on_disk,
    together,
    where_now,
    whole_file,
    whole_folder,
    write_at_once,
    write_table,
)

__all__ = [
    "BGZIP_END",
    "GZIP_MAGIC",
    "Together",
    "check_file_place",
    "check_names",
    "check_place",
    "digest_of_file",
    "finish",
    "held",
    "is_bgzip",
    "is_pipe",
    "open_input",
    "parse_number",
    "parse_whole",
    "pipes_kept",
    "printable",
    "put_on_disk",
    "read_bytes",
    "read_text",
    "split_lines",
    "split_words",
    "together",
    "where_now",
    "whole_file",
    "whole_folder",
    "write_at_once",
    "write_table",
]

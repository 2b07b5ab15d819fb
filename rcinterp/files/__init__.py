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
from rcinterp.files.text import each_line, parse_number, parse_whole, printable, split_lines, split_words
from rcinterp.files.writing import (
    check_file_place,
    check_place,
    finish,
    whole_file,
    whole_folder,
    write_at_once,
    write_table,
)

__all__ = [
    "BGZIP_END",
    "GZIP_MAGIC",
    "check_file_place",
    "check_place",
    "digest_of_file",
    "each_line",
    "finish",
    "held",
    "is_bgzip",
    "is_pipe",
    "open_input",
    "parse_number",
    "parse_whole",
    "pipes_kept",
    "printable",
    "read_bytes",
    "read_text",
    "split_lines",
    "split_words",
    "whole_file",
    "whole_folder",
    "write_at_once",
    "write_table",
]

"""Reads the files in docs/plc with others' parsers: blark (TwinCAT), a grammar of
IEC 61131-3 for tree-sitter, the XML schema of PLCopen, l5x (Rockwell's exports).

parsers.py FOLDER SCHEMA. Each has to read every file of its kind, and to refuse a
copy of it that is damaged: a parser that takes anything shows nothing.
"""
import glob
import os
import sys
import tempfile

import blark
import l5x
import tree_sitter
import tree_sitter_iec61131_3_st
from lxml import etree

folder, schema = sys.argv[1:]
grammar = tree_sitter.Parser(tree_sitter.Language(tree_sitter_iec61131_3_st.language()))
xsd = etree.XMLSchema(etree.parse(schema))


def read_blark(text):
    # TwinCAT has no CONFIGURATION: constants are a list of their own there.
    result = blark.parse_source_code(text.partition("\nCONFIGURATION ")[0])
    if result.exception:
        raise result.exception


def read_tree_sitter(text):
    def first(node):
        if node.type == "ERROR" or node.is_missing:
            return node
        return next(filter(None, map(first, node.children)), None)

    wrong = first(grammar.parse(text.encode()).root_node)
    if wrong:
        raise ValueError(f"line {wrong.start_point.row + 1}: {wrong.type}")


def read_plcopen(text):
    xsd.assertValid(etree.fromstring(text.encode()))


def read_l5x(text):
    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(scratch, "x.L5X")
        with open(path, "w") as file:
            file.write(text)
        project = l5x.Project(path)
    if not list(project.doc.iter("AddOnInstructionDefinition")):
        raise ValueError("no Add-On Instruction")


readers = [
    # mien_iec.st has all blocks, mien_const.st is the list as TwinCAT has it.
    (read_blark, "mien_[ic]*.st", ("END_VAR", "END_VA"), ("THEN", "THAN")),
    (read_tree_sitter, "*.st", ("END_VAR", "END_VA"), ("THEN", "THAN")),
    (read_plcopen, "mien_plcopen.xml", ("<body>", "<bodies/><body>"), ("pouType=", "puoType=")),
    (read_l5x, "rockwell/*.L5X", ("</Controller>", ""), ("AddOnInstructionDefinition", "AddOn")),
]
bad = 0
for read, pattern, *damages in readers:
    files = sorted(glob.glob(os.path.join(folder, pattern)))
    refused = 0
    for file in files:
        with open(file) as f:
            text = f.read()
        try:
            read(text)
        except Exception as e:
            print(f"{read.__name__}: {file}: {str(e)[:500]}")
            bad += 1
        for old, new in damages:
            if old not in text:
                continue
            try:
                read(text.replace(old, new))
                print(f"{read.__name__}: {file}: took {new!r} for {old!r}")
                bad += 1
            except Exception:
                refused += 1
    print(f"{read.__name__}: {len(files)} files read, {refused} damaged copies refused")
    if not files or not refused:
        bad += 1
sys.exit(bad > 0)

"""Prints the names that a Python file uses and nothing defines, one a line: what compiling does not find."""
import builtins
import symtable
import sys

text = open(sys.argv[1], encoding="utf-8").read()
compile(text, sys.argv[1], "exec")
top = symtable.symtable(text, sys.argv[1], "exec")
defined = {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported() or s.is_namespace()} | set(dir(builtins)) | {"__file__", "__doc__", "__name__"}


def visit(table):
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (symbol.is_global() or table is top) and symbol.get_name() not in defined:
            print(symbol.get_name())
    for inner in table.get_children():
        visit(inner)


visit(top)

# make course: everything a reader, a student or an instructor needs.   make test: everything CI runs.
# Both do only what has changed since the last time.

PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The tensors here are small: more threads only wait for one another, and on a busy machine for long.
export OMP_NUM_THREADS := 1

TOPICS := $(shell ls chapters | sed -n 's/^[0-9][0-9]_\(.*\)\.md$$/\1/p')
CODE := $(shell find autograder companion solutions -name "*.py" -o -name "*.js" -o -name "*.css" -o -name "*.j2" -o -name "*.otf" -o -name "*.tsv" -o -name "*.gz" -o -path "*/translation/*")
BOOK := _config.yml _toc.yml $(wildcard book/*.md book/*.bib chapters/*.md book/_static/* book/extension/*.py)

.DELETE_ON_ERROR:
.PHONY: course book notebooks class test lint pictures clean help

course: book notebooks class
	@echo
	@echo "Open _build/html/index.html (the book), chapters/ in JupyterLab (the exercises),"
	@echo "or course/report/ (the graded class)."

help:
	@echo "make course   the book, the students' notebooks and a graded class of samples"
	@echo "make book     the book alone, in _build/html"
	@echo "make test     lint and all tests"
	@echo "make pictures the README's picture, taken from the built book"
	@echo "make clean    remove what was made, the environment too"

# torch first and by its exact version: left to another package's requirement, pip may take another build of it.
.venv/.course: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing the course into .venv"
	@$(BIN)/python -m pip install --quiet "$$(grep '^torch==' constraints.txt)"
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[course]'
	@touch $@

.venv/.test: .venv/.course
	@echo "Installing what the tests need"
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	@sh tests/install_system_packages.sh
	@touch $@

book: _build/.book

_build/.book: .venv/.course $(BOOK) $(CODE)
	@autograder check
	@mkdir -p _build
	jupyter-book build . -W -n --keep-going -q
	@touch $@

notebooks: _build/.notebooks

_build/.notebooks: .venv/.course $(wildcard chapters/*.md book/references.bib) $(CODE) _config.yml
	@mkdir -p _build
	@autograder notebooks
	@touch $@

class: course/.graded

course/.graded: .venv/.course $(wildcard chapters/*.md) $(CODE)
	@for topic in $(TOPICS); do autograder tour $$topic || exit 1; done
	@touch $@

lint: .venv/.test
	@ruff check .
	@ruff format --check --quiet . || { echo "run 'ruff format .' to mend the layout"; exit 1; }

test: lint
	pytest -n 2 --dist loadscope

# The README's picture, taken from the built book.
pictures: _build/.book .venv/.test
	@python book/pictures.py

clean:
	rm -rf .venv _build build course *.egg-info

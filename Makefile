# Scientific Spaces, Interactive.  `make book` and `make test` need Python >= 3.11, nothing else.

PYTHON ?= python3
BIN := .venv/bin
UV ?= uv
COMPILE := $(UV) pip compile -q --universal --python-version 3.11 --no-header --no-annotate \
	--no-emit-index-url --extra book --extra keras pyproject.toml

.DELETE_ON_ERROR:
.PHONY: book test chapter mutate reproduce test-launch publish publish-check links lab lock clean \
	environment test-environment browser

book: environment  ## execute what changed and build _build/html
	@$(BIN)/python -m scispaces_book.build

chapter: environment  ## SLUG=random_angles: execute and build one chapter alone, for writing
	@$(BIN)/python -m scispaces_book.build --chapter "$(SLUG)"

test: test-environment browser book  ## everything: units, the built book, a real Chromium
	@$(BIN)/python -m pytest -n 2 --dist worksteal --ignore tests/browser
	@$(BIN)/python -m pytest -n 2 --dist loadfile tests/browser

mutate: test-environment  ## change what marked tests cover; they must notice (SLUG=… for one)
	@$(BIN)/python tests/mutate.py $(SLUG)

reproduce: environment  ## build the committed book twice in two places and compare every byte
	@$(BIN)/python tests/reproduce.py

test-launch: test-environment browser book  ## run every exported notebook as Colab and Binder would
	@$(BIN)/python -m pytest tests/launch --every-notebook

publish: book  ## TO=<git remote>: make what Colab and Binder open the branch `notebooks` there
	@$(BIN)/python -m scispaces_book.publish --to "$(TO)"

publish-check: book  ## the same into _build/publish, without a push
	@$(BIN)/python -m scispaces_book.publish

links: environment  ## look whether the pages that the book links to are there
	@$(BIN)/jupyter-book build . --builder linkcheck --path-output _build/links

lab: environment  ## open the chapters as notebooks; .jupyter holds the setting that does so
	@JUPYTER_CONFIG_PATH=.jupyter $(BIN)/jupyter lab --notebook-dir chapters

lock:  ## resolve pyproject.toml into requirements.txt and tests/requirements.txt; needs uv
	@mkdir -p _build
	@$(COMPILE) -o _build/requirements.txt
	@$(COMPILE) --extra test -c _build/requirements.txt -o _build/test-requirements.txt
	@{ echo "# The exact environment that builds and launches the book. Made by \`make lock\`."; \
	   echo "-e ."; cat _build/requirements.txt; } > requirements.txt
	@{ echo "# What testing needs beyond requirements.txt. Made by \`make lock\`."; \
	   echo "-r ../requirements.txt"; \
	   grep -vxFf _build/requirements.txt _build/test-requirements.txt; } > tests/requirements.txt

clean:  ## remove what builds have made, the outputs of the chapters too; keep the environment
	rm -rf _build

# The environment is made once, and again when a lock changes: the copy beside it tells.
environment:
	@sh .ci/environment "$(PYTHON)" requirements.txt

test-environment: environment
	@sh .ci/environment "$(PYTHON)" tests/requirements.txt

browser:
	@sh .ci/browser

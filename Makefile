# make demo and make test do all their own set-up; nothing but Python 3.11 or newer is needed.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DATA ?=
OUT ?= out/demo$(if $(DATA),-real)
CAP ?= $(if $(DATA),250,150)
BUDGET ?= 0
ARGS ?=
RUN ?= out/model/run
ARM ?= flips+crops+light+growing+maturation
WEIGHTS := src/naturalize/classify/weights

.DEFAULT_GOAL := help
.PHONY: help demo test lint gallery model clean

help:  ## List the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12
	@echo "Real images: make demo DATA=FOLDER [CAP=images a class] [BUDGET=images seen] [OUT=FOLDER]"

$(READY): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--editable '.[train,sam,dev]' --constraint constraints.txt
	@touch $@

demo: $(READY)  ## Run the whole pipeline on phantoms, or on DATA=FOLDER, to one HTML report
	@$(BIN)/naturalize demo --out $(OUT) --cap $(CAP) --budget $(BUDGET) \
		$(if $(DATA),--data "$(DATA)") $(ARGS)

test: lint  ## Run ruff, mypy and all tests
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 $(ARGS)

lint: $(READY)  ## Run ruff and mypy alone
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

gallery: $(READY)  ## Put phantoms beside real cells where DATA=FOLDER is at hand
	@$(BIN)/python benchmarks/gallery.py $(if $(DATA),--data "$(DATA)") -o out/gallery.png

out/model/run: | $(READY)
	@test -n "$(DATA)" || { echo "make model DATA=PBC_dataset_normal_DIB, or RUN=FOLDER"; exit 2; }
	$(BIN)/naturalize import "$(DATA)" --out out/model/dataset --resume
	$(BIN)/naturalize curate out/model/dataset --out out/model/curated --resume
	$(BIN)/naturalize split out/model/curated --from docs/results/split/pbc.csv \
		--out out/model/split --resume
	$(BIN)/naturalize train out/model/split --arm $(ARM) --px 192 --crop 222 --views 8 \
		--ema 0.998 --budget 91900 --validations 11 --precision auto \
		--out out/model/run --resume $(ARGS)

model: $(READY) $(RUN)  ## Train the shipped reader anew from DATA=FOLDER, or make it of RUN=FOLDER
	$(BIN)/naturalize reader $(RUN) --out out/model/reader --overwrite
	mkdir -p $(WEIGHTS)
	cp $(addprefix out/model/reader/,reader.onnx reader.json familiarity.npz README.md) $(WEIGHTS)

clean:  ## Remove the environment and everything the commands wrote
	rm -rf $(VENV) out

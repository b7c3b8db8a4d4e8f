"""Settings of writers of text that their authors, or much-used programs, recommend."""

from __future__ import annotations

from models.presets import Preset

# each begins from all tokens: what another preset filtered would stay on
_OPEN = {
    "do_sample": True, "temperature": 1.0, "top_p": 1.0, "top_k": None, "min_p": None, "typical_p": None,
    "top_n_sigma": None, "mirostat_tau": None, "xtc_probability": 0.0, "dynatemp_range": 0.0,
}  # fmt: skip

WRITERS = (
    Preset("Greedy", {"do_sample": False}, "Always the likeliest token: one text for every seed, soon repetitive."),
    Preset("Plain sampling", _OPEN, "Draws from all tokens as the model predicts them, unlikely ones too."),
    Preset("Nucleus", {**_OPEN, "top_p": 0.95}, "Leaves out the unlikely tail, whatever its length.",
           "Holtzman et al. 2020, The Curious Case of Neural Text Degeneration"),
    Preset("Top-k", {**_OPEN, "top_k": 40}, "Draws from the forty likeliest tokens.",
           "Radford et al. 2019, Language Models are Unsupervised Multitask Learners"),
    Preset("Typical", {**_OPEN, "typical_p": 0.95}, "Prefers tokens about as surprising as the model expects.",
           "Meister et al. 2023, Locally Typical Sampling"),
    Preset("Min-p, hot", {**_OPEN, "temperature": 1.5, "min_p": 0.1}, "Lively and still coherent: few tokens where the "
           "model is sure.", "Nguyen et al. 2024, Turning Up the Heat: Min-p Sampling"),
    Preset("Mirostat", {**_OPEN, "mirostat_tau": 3.0, "mirostat_eta": 0.1}, "Keeps the surprise near 3 bits per token.",
           "Basu et al. 2021, Mirostat"),
    Preset("No loops (DRY)", {"dry_multiplier": 0.8, "dry_base": 1.75, "dry_allowed_length": 2}, "Makes phrases "
           "that stood there before unlikely, the longer the more.",
           "text-generation-webui, the values its DRY sampler recommends"),
    Preset("No clichés (XTC)", {**_OPEN, "xtc_probability": 0.5, "xtc_threshold": 0.1, "min_p": 0.02}, "Leaves out the "
           "obvious tokens at every second step.", "text-generation-webui, the values its XTC sampler recommends"),
)  # fmt: skip

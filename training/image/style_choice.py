"""Choose among the moments of a training, and measure the chosen one, on the device that trained."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import torch

from training import loop
from training.image import style_marks
from training.image.emoji_diffusion import SCHEDULE, Conditioned
from training.image.emoji_judge import FACTS, load_judge
from training.image.emoji_marks import NAMES
from training.image.styles import StyleSet

WAITS_S = 60  # for a judge that another process is still training


def pipeline_of(model: Conditioned, tokenizer: Any, options: argparse.Namespace) -> Any:
    """Return the pipeline that a moment's folder will be, in float32 on the device that trains."""
    from diffusers import AutoencoderKL, DPMSolverMultistepScheduler, StableDiffusionPipeline

    vae = AutoencoderKL.from_pretrained(options.shipped / "vae", dtype=torch.float32).eval()
    pipeline = StableDiffusionPipeline(
        vae=vae, text_encoder=model.text_encoder, tokenizer=tokenizer, unet=model.unet,
        scheduler=DPMSolverMultistepScheduler(**SCHEDULE), safety_checker=None, feature_extractor=None,
        requires_safety_checker=False,
    )  # fmt: skip
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(options.device)


def choose(moments: Any, styles: StyleSet, options: argparse.Namespace) -> str:
    """Return the name of the moment whose pictures of the choosing half of the held-out pairs are known most often.

    `moments` are `emoji_styles.Moments`. Without a judge that can be read it is the last one.
    """
    until = loop.now() + WAITS_S
    while not (options.judge / FACTS).exists() and loop.now() < until:
        time.sleep(1)
    try:
        judge = load_judge(options.judge)
    except OSError as problem:
        print(f"no judge: {problem}", flush=True)
        return "end"
    judge.net.to(options.device)
    best, name = -1.0, "end"
    for moment in reversed(moments.kept):
        pipeline = pipeline_of(moments.model(moment), moments.tokenizer, options)
        found = style_marks.pairs_marks(pipeline, judge, styles, style_marks.for_choosing(styles))
        print(f"moment {moment}: {found}", flush=True)
        if found["top5"] > best:
            best, name = found["top5"], moment
        if options.measure_until and loop.now() > options.measure_until - WAITS_S / 2:
            break
    return name


def measure_marks(model: Conditioned, tokenizer: Any, styles: StyleSet, options: argparse.Namespace) -> None:
    """Write marks.json beside the weights, mark by mark, so that what is measured by the deadline is there."""
    judge = load_judge(options.judge)
    judge.net.to(options.device)
    pipeline = pipeline_of(model, tokenizer, options)
    marks: dict[str, Any] = {}
    for name, found in style_marks.each(pipeline, judge, styles, NAMES):
        marks[name] = found
        print(f"{name}: {found}", flush=True)
        (options.out / "marks.json").write_text(json.dumps(marks, indent=1))
        if loop.now() > options.measure_until:
            print("the time for marks is used up", flush=True)
            return

"""The script that describes an image again: our captioner by its carried source, `generate()` of transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models.image.caption_settings import BOTH, WRITERS
from models.image.scripts.saving import IMPORTS, UPLOADS
from models.scripts import Part, Script, constants, weights
from models.stamps import file_name

if TYPE_CHECKING:
    from models.image.caption_settings import CaptionParams
    from models.spec import ModelSpec
    from models.types import Request


def script(spec: ModelSpec, request: Request, params: CaptionParams) -> Script:
    """Return the script of a request; see `Family.script`."""
    folder, imports = weights(spec)
    chosen = {name: called for name, called in WRITERS.items() if params.decoder in (BOTH, name)}
    settings: dict[str, Any] = {"do_sample": params.do_sample}
    if params.do_sample:
        settings |= {"temperature": params.temperature, "top_p": params.top_p, "top_k": params.top_k or 0,
                     "num_return_sequences": params.captions}  # fmt: skip
    else:
        settings |= {"num_beams": params.num_beams, "num_return_sequences": min(params.captions, params.num_beams)}
        settings |= {"length_penalty": params.length_penalty} if params.num_beams > 1 else {}
    load = [
        "model = Captioner.from_pretrained(WEIGHTS, dtype=torch.float32).eval()",
        "processor = AutoImageProcessor.from_pretrained(WEIGHTS)",
        "tokenizer = AutoTokenizer.from_pretrained(WEIGHTS)",
    ]
    ends = "[own.eos_token_id]" if params.with_style else "[own.eos_token_id, model.config.separator_token_id]"
    configure = [
        "own = model.generation_config",
        f"END = {ends}  # what ends a caption",
        "config = GenerationConfig(",
        "    decoder_start_token_id=own.decoder_start_token_id, bos_token_id=own.bos_token_id, eos_token_id=END,",
        "    pad_token_id=own.pad_token_id, suppress_tokens=own.suppress_tokens,",
        "    begin_suppress_tokens=own.begin_suppress_tokens, use_cache=False,",
        "    max_new_tokens=model.config.max_position_embeddings - 1,",
        *[f"    {name}={value!r}," for name, value in settings.items()],
        ")",
    ]
    write = [
        'picture = ImageOps.exif_transpose(Image.open(IMAGE)).convert("RGB")',
        "lines = []",
        "with torch.inference_mode():",
        '    pixels = processor(picture, return_tensors="pt")["pixel_values"]  # 1 × 3 × side × side',
        "    places = model.encoder(pixels).last_hidden_state  # 1 × places × hidden",
        "    for writer, name in WRITERS.items():",
        "        torch.manual_seed(SEED)",
        "        seen = BaseModelOutput(places)  # `generate()` widens what it is handed for its beams",
        "        rows = model.generate(encoder_outputs=seen, writer=writer, generation_config=config)",
        "        found = {}",
        "        for row in rows[:, 1:].tolist():",
        "            end = next((at for at, one in enumerate(row) if one in END), len(row))",
        "            ids = row[: end + 1]",
        "            given = torch.tensor([[own.decoder_start_token_id, *ids[:-1]]])",
        "            seen = BaseModelOutput(places)",
        "            logits = model(encoder_outputs=seen, decoder_input_ids=given, writer=writer).logits[0]",
        "            logs = logits.log_softmax(-1)[torch.arange(len(ids)), torch.tensor(ids)]  # one per word",
        "            words = ids[:end]",
        '            text = " ".join(tokenizer.decode([one]).strip() for one in words).replace(" ,", ",")',
        "            found[text] = round(float(logs.sum().exp()), 4)",
        *(["        found = dict(sorted(found.items(), key=lambda one: -one[1]))"] if params.do_sample else []),
        '        lines += [f"{name}: {text} ({p:.1%})" for text, p in found.items()]',
    ]
    show = [
        'text = "\\n".join(lines)',
        f'Path({file_name(spec.id, request.seed)!r}).write_text(text, "utf-8", newline="\\n")',
        "print(text)",
    ]
    return Script(
        f"{folder}\n{constants(IMAGE='image.png', WRITERS=chosen, SEED=request.seed)}",
        (
            Part("Load", "\n".join(load)),
            Part("Settings", "\n".join(configure)),
            Part("Write", "\n".join(write), "Each decoder writes by itself; a caption's probability is the product of "
                                           "its words', whatever the settings."),
            Part("Show", "\n".join(show)),
        ),
        ("import torch", "from PIL import ImageOps", *IMPORTS, *imports,
         "from transformers import AutoImageProcessor, AutoTokenizer, GenerationConfig",
         "from transformers.modeling_outputs import BaseModelOutput"),
        ("models.image.nets.captioner:Captioner",), (UPLOADS,),
    )  # fmt: skip

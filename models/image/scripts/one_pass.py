"""The scripts of nets that draw in one pass, a GAN's generator and a VAE's decoder: the nets' own source, carried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models.image.scripts.saving import IMPORTS, UPLOADS, generator, save
from models.scripts import Part, Script, constants, weights

if TYPE_CHECKING:
    from models.image.families.gan import GANParams
    from models.image.families.vae import VAEParams
    from models.spec import ModelSpec
    from models.types import Request

_WORDS = "models.image.nets.word_bag:word_ids"
_PIXELS = "models.image.sampling.pixels:to_pixels"


def gan(spec: ModelSpec, request: Request, params: GANParams) -> Script:
    """Return the script of a generator's request; see `Family.script`."""
    mixed = params.prompt_mix > 0
    folder, imports = weights(spec)
    carries = ["models.image.nets.generator:GANGenerator", _WORDS, _PIXELS]
    named: dict[str, Any] = {"PROMPT": request.inputs["prompt"]}
    if mixed:
        named |= {"PROMPT_TO": request.inputs["prompt_to"], "MIX": params.prompt_mix}
    named |= {"TRUNCATION": params.truncation, "IMAGES": params.num_images, "SEED": request.seed}
    texts = "(PROMPT, PROMPT_TO)" if mixed else "(PROMPT,)"
    words = [
        f"rows = [word_ids(model.config.vocabulary, text)[0] for text in {texts}]  # unknown words are left out",
        "with torch.inference_mode():",
        "    vectors = model.words(rows)  # texts × word_size",
        f"    meaning = torch.lerp(vectors[:1], vectors[-1:], {'MIX' if mixed else '0.0'})",
    ]
    noise, more = _noise("(1, model.config.noise_size)", params, "    ")
    draw = [
        "images = []",
        "for number in range(IMAGES):",
        *noise,
        "    with torch.inference_mode():",
        "        style = torch.lerp(model.centre(meaning), model.style(noise, meaning), TRUNCATION)",
        "        images.append(to_pixels(model.draw(style)[0]))",
    ]
    parts = (
        Part("Load", "model = GANGenerator.from_pretrained(WEIGHTS).float().eval()"),
        Part("What to draw", "\n".join(words), "The words' vectors, averaged into one."),
        Part("Draw", "\n".join(draw), "One pass: noise and words become a style, which steers every layer."),
        save(request),
    )
    return Script(f"{folder}\n{constants(**named)}", parts, ("import torch", *IMPORTS, *imports), (*carries, *more))


def vae(spec: ModelSpec, request: Request, params: VAEParams, components: int) -> Script:
    """Return the script of an autoencoder's request; see `Family.script`. `components` are those with a slider."""
    folder, imports = weights(spec)
    carries = ["models.image.nets.conv_vae:ConvVAE", _PIXELS]
    drawn = params.task == "sample"
    named: dict[str, Any] = {"SHIFT": [getattr(params, f"component_{at}") for at in range(1, components + 1)]}
    cannot: tuple[str, ...] = ()
    libraries = ["import torch", *IMPORTS, *imports]
    if drawn:
        start, named, carries = _sampled(request, params, named, carries)
    else:
        libraries.append("from PIL import ImageOps")
        carries.append("models.image.sampling.pixels:to_tensor")
        files = ["image.png", "image_to.png"] if params.task == "interpolate" else ["image.png"]
        named |= {"FILES": files} | ({"MIX": params.mix} if params.task == "interpolate" else {})
        cannot = (UPLOADS,)
        last = "torch.lerp(latents[0], latents[-1], MIX)" if params.task == "interpolate" else "latents[0]"
        start = [
            "latents = []",
            "for file in FILES:",
            '    picture = ImageOps.exif_transpose(Image.open(file)).convert("RGB")',
            "    picture = ImageOps.fit(picture, (64, 64), Image.Resampling.LANCZOS)",
            "    with torch.inference_mode():",
            "        latents.append(model.encode(to_tensor(picture))[0])  # 1 × channels × 4 × 4",
            f"latent = {last}",
            "with torch.inference_mode():",
            "    place = model.to_axes(latent)",
            "    places = [(place, latent - model.from_axes(place))]  # and what lies outside of the components",
        ]
    draw = [
        "images = []",
        "for place, rest in places:",
        "    place = place.clone()",
        f"    place[:, :{components}] += torch.tensor([SHIFT])",
        "    with torch.inference_mode():",
        "        images.append(to_pixels(model.decode(model.from_axes(place) + rest)[0]))",
    ]
    parts = (
        Part("Load", "model = ConvVAE.from_pretrained(WEIGHTS).float().eval()"),
        Part("Points of the latent space", "\n".join(start), "A few hundred numbers along the principal components."),
        Part("Decode", "\n".join(draw), "The first components are moved by hand, then the numbers become pixels."),
        save(request),
    )
    return Script(f"{folder}\n{constants(**named)}", parts, tuple(libraries), tuple(carries), cannot)


def _sampled(
    request: Request, params: VAEParams, named: dict[str, Any], carries: list[str]
) -> tuple[list[str], dict[str, Any], list[str]]:
    """Return the lines that draw points of the latent space, with the constants and what is carried."""
    mixed = params.prompt_mix > 0
    named = {"PROMPT": request.inputs.get("prompt", ""), **named}
    if mixed:
        named |= {"PROMPT_TO": request.inputs["prompt_to"], "MIX": params.prompt_mix}
    named |= {"TEMPERATURE": params.temperature, "IMAGES": params.num_images, "SEED": request.seed}
    noise, more = _noise("(1, model.config.axes)", params, "    ")
    lines = [
        "def where(text):",
        '    """Return mean and standard deviation of the images of a text\'s words; without a text, of all images."""',
        "    if not text.strip():",
        "        return torch.zeros(1, model.config.axes), torch.ones(1, model.config.axes)",
        "    with torch.inference_mode():",
        "        return model.where([word_ids(model.config.vocabulary, text)[0]])",
        "",
        "",
        "mean, spread = where(PROMPT)",
    ]
    if mixed:
        lines += [
            "mean_to, spread_to = where(PROMPT_TO)",
            "mean, spread = torch.lerp(mean, mean_to, MIX), torch.lerp(spread, spread_to, MIX)",
        ]
    lines += ["places = []", "for number in range(IMAGES):", *noise]
    lines.append("    places.append((mean + TEMPERATURE * spread * noise, 0.0))")
    return lines, named, [*carries, _WORDS, *more]


def _noise(shape: str, params: Any, indent: str) -> tuple[list[str], list[str]]:
    """Return the lines that draw `noise` of image `number`, and what they carry."""
    lines = [f"{indent}noise = torch.randn({shape}, generator={generator()})"]
    if params.variation_strength <= 0:
        return lines, []
    other = f"torch.randn({shape}, generator={generator(str(params.variation_seed))})"
    lines.append(f"{indent}noise = slerp(noise, {other}, {params.variation_strength!r})")
    return lines, ["models.diffusion.denoising:slerp"]

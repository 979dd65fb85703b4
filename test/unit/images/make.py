"""Makes fixtures/: small images, and what PIL and the processors of transformers (their PIL backend) make of them. Run: python make.py"""
import gzip
import json
import os

import numpy as np
import PIL
import PIL.ImageOps
import transformers
from PIL import Image
from safetensors.numpy import save

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
os.makedirs(here, exist_ok=True)
rng = np.random.default_rng(7)


def drawn(width, height):
    """Slopes, a disc with a hard edge, stripes, and noise: what filters and chroma sampling differ on."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    image = np.stack([255 * x / width, 255 * y / height, 255 * (x + y) / (width + height)], -1)
    image[(x - width * 0.6) ** 2 + (y - height * 0.4) ** 2 < (min(width, height) * 0.25) ** 2] = [250, 30, 20]
    image[(x.astype(int) // 3) % 2 == 0] *= [1, 0.7, 0.4]
    image[: height // 4, : width // 4] = rng.integers(0, 256, (height // 4, width // 4, 3))
    return Image.fromarray(image.clip(0, 255).astype(np.uint8))


path = lambda name: os.path.join(here, name)
wide, tall = drawn(97, 61), drawn(43, 70)
wide.save(path("wide.png"))
tall.save(path("tall.png"))
wide.convert("P", palette=Image.Palette.ADAPTIVE, colors=32).save(path("palette.png"))
wide.convert("L").save(path("gray.png"))
alpha = wide.convert("RGBA")
alpha.putalpha(Image.fromarray(np.tile(np.arange(97, dtype=np.uint8) * 2, (61, 1))))
alpha.save(path("alpha.png"))
exif = Image.Exif()
exif[0x0112] = 6
tall.save(path("turned.png"), exif=exif)
wide.save(path("420.jpg"), quality=85, subsampling="4:2:0")
wide.save(path("422-progressive.jpg"), quality=60, subsampling="4:2:2", progressive=True)
tall.save(path("420-progressive.jpg"), quality=92, subsampling="4:2:0", progressive=True)
tall.save(path("444.jpg"), quality=95, subsampling="4:4:4")
wide.save(path("restart.jpg"), quality=75, subsampling="4:2:0", restart_marker_blocks=2)
wide.convert("L").save(path("gray.jpg"), quality=80)
exif[0x0112] = 8
tall.save(path("turned.jpg"), quality=90, exif=exif)
drawn(5, 3).save(path("tiny.jpg"), quality=90, subsampling="4:2:0")
wide.save(path("rgb.jpg"), quality=90, keep_rgb=True)

# The picture of tests and of the gallery: a house under the sun, so that a person sees what is where.
y, x = np.mgrid[0:120, 0:160].astype(np.float64)
scene = np.stack([120 + 60 * y / 120, 170 + 40 * y / 120, 230 - 20 * y / 120], -1)
scene[y > 84] = [96, 150, 80]
scene[(x - 128) ** 2 + (y - 26) ** 2 < 15**2] = [255, 214, 80]
scene[(x > 36) & (x < 92) & (y > 56) & (y < 100)] = [196, 120, 84]
scene[(np.abs(x - 64) < (y - 28) * 1.3) & (y <= 56) & (y > 28)] = [140, 50, 46]
scene[(x > 58) & (x < 70) & (y > 76) & (y < 100)] = [84, 52, 36]
scene[(x > 44) & (x < 54) & (y > 66) & (y < 76)] = [230, 236, 250]
Image.fromarray(scene.astype(np.uint8)).save(path("scene.png"), optimize=True)

out = {}
for name in sorted(os.listdir(here)):
    if name.endswith((".png", ".jpg")):
        out[f"decoded.{name}"] = np.array(PIL.ImageOps.exif_transpose(Image.open(path(name))).convert("RGB"))
for number, filter in enumerate(["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"]):
    for width, height in [(24, 20), (40, 90), (97, 30)]:
        out[f"resized.{filter}.{width}x{height}"] = np.array(wide.resize((width, height), number))

cases = {
    "clip": ("CLIPImageProcessor", {"size": {"shortest_edge": 22}, "crop_size": {"height": 22, "width": 22}}),
    "clip-odd": ("CLIPImageProcessor", {"size": {"shortest_edge": 21}, "crop_size": {"height": 16, "width": 17}}),
    "clip-padded": ("CLIPImageProcessor", {"size": {"shortest_edge": 15}, "crop_size": {"height": 20, "width": 18}}),
    "vit": ("ViTImageProcessor", {"size": {"height": 20, "width": 24}}),
    "deit": ("DeiTImageProcessor", {"size": {"height": 26, "width": 26}, "crop_size": {"height": 22, "width": 22}}),
    "siglip": ("SiglipImageProcessor", {"size": {"height": 20, "width": 20}}),
    "llava": ("LlavaImageProcessor", {"do_pad": True, "size": {"shortest_edge": 20}, "crop_size": {"height": 20, "width": 20}}),
    "convnext": ("ConvNextImageProcessor", {"size": {"shortest_edge": 21}, "crop_pct": 0.875}),
    "levit": ("LevitImageProcessor", {"size": {"shortest_edge": 21}, "crop_size": {"height": 21, "width": 21}}),
    "beit": ("BeitImageProcessor", {"size": {"height": 18, "width": 22}}),
    "lanczos-no-scale": ("ViTImageProcessor", {"size": {"height": 20, "width": 20}, "resample": 1, "do_rescale": False, "do_normalize": False}),
}
configs = {}
for case, (kind, options) in cases.items():
    module = {"CLIP": "clip", "ViT": "vit", "DeiT": "deit", "Siglip": "siglip", "Llava": "llava", "ConvNext": "convnext", "Levit": "levit", "Beit": "beit"}[kind.removesuffix("ImageProcessor")]
    source = __import__(f"transformers.models.{module}.image_processing_pil_{module}", fromlist=["x"])
    processor = getattr(source, kind + "Pil")(**options)
    # As it is saved, without what only old versions wrote; and only what differs from the defaults.
    configs[case] = {"full": json.loads(processor.to_json_string()), "short": {"image_processor_type": kind, **options}}
    for name, image in [("wide", wide), ("tall", tall)]:
        values = processor(image, return_tensors="np")["pixel_values"]
        out[f"prepared.{case}.{name}"] = np.asarray(values[0], np.float32)
data = save(out, {"pillow": PIL.__version__, "transformers": transformers.__version__, "configs": json.dumps(configs)})
with open(path("expected.safetensors.gz"), "wb") as file:
    file.write(gzip.compress(data, 9, mtime=0))
print({name: value.shape for name, value in out.items()})

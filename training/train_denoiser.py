"""Train an FFDNet (gray or colour), a DnCNN or a TNRD (gray) on folders of clean images.

    python training/train_denoiser.py --denoiser ffdnet --channels 1 --data DIR [DIR ...] --out DIR

A run is a function of its arguments: iteration k draws its patches and noise
from generators seeded with (seed, k), so that a run that was stopped and
started again sees the same data. It resumes from `OUT/checkpoint.pt` by itself.
The learning rate is constant, then falls linearly to zero over the last
`--decay` share of `--iterations`.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path

import numpy as np
import torch
from holes import missing_samples
from patterns import draw_over
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.utils import parametrize
from tqdm import tqdm

from napari_dred.core.denoisers.base import HOLE, DenoisingNetwork
from napari_dred.core.denoisers.dncnn import LEVEL, DnCNN
from napari_dred.core.denoisers.ffdnet import FFDNet
from napari_dred.core.denoisers.tnrd import TNRD
from napari_dred.core.noise import fill_nearest

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"}
MAX_SIGMA = 75 / 255
# A network for one level multiplies an image until its noise has that: of next to no noise, by
# next to any number.
MIN_SIGMA = {"ffdnet": 0.0, "dncnn": 5 / 255, "tnrd": 5 / 255}
KAIMING, IDENTITY = 0.25, 1.0  # see `initialise`
FLOOR = 0.01  # of the noise's variance, see `denoising_loss`
REFILLED = (0.4, 0.4, 0.2)  # shares of the batches, see `refilled`: never, once, twice
VALIDATION_SIGMAS = (15, 25, 50)
SCALES = (1.0, 0.85, 0.7, 0.55)  # a scene of few pixels has more detail in each patch


def load_images(
    folders: list[Path], channels: int, scales: tuple[float, ...] = (1.0,)
) -> list[np.ndarray]:
    """All images of the folders, at each scale, as uint8 arrays of shape (C, H, W)."""
    paths = sorted(p for f in folders for p in f.iterdir() if p.suffix.lower() in SUFFIXES)
    if not paths:
        raise SystemExit(f"no images in {', '.join(map(str, folders))}")
    images = []
    for path in paths:
        with Image.open(path) as im:
            full = im.convert("L" if channels == 1 else "RGB")
        for scale in scales:
            size = (round(full.width * scale), round(full.height * scale))
            a = np.asarray(full if scale == 1 else full.resize(size, Image.Resampling.LANCZOS))
            images.append(a[None] if a.ndim == 2 else np.ascontiguousarray(a.transpose(2, 0, 1)))
    return images


def sample_patches(
    images: list[np.ndarray], n: int, size: int, drawn: float, rng: np.random.Generator
) -> Tensor:
    """Draw n random patches, flipped and rotated: (n, C, size, size) in [0, 1].

    A share `drawn` of them have drawn structures over them.
    """
    out = np.empty((n, images[0].shape[0], size, size), np.uint8)
    for k in range(n):
        a = images[rng.integers(len(images))]
        top, left = (rng.integers(s - size + 1) for s in a.shape[1:])
        patch = a[:, top : top + size, left : left + size]
        patch = np.rot90(patch, rng.integers(4), (1, 2))
        patch = patch[:, :, ::-1] if rng.integers(2) else patch
        out[k] = draw_over(patch, rng) if rng.uniform() < drawn else patch
    return torch.from_numpy(out).float() / 255


def sample_levels(
    n: int, least: float, tilt: float, own: float, generator: torch.Generator
) -> Tensor:
    """Draw n noise levels up to `MAX_SIGMA`: (n, 1, 1, 1). A share `own` of them is `LEVEL`."""
    sigma = least + torch.rand(n, generator=generator) ** tilt * (MAX_SIGMA - least)
    sigma[: round(own * n)] = LEVEL
    return sigma[:, None, None, None]


def with_holes(y: Tensor, sigma: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Take samples out of noisy patches, and fill them from nearby, as the solver does.

    Returns the patches and the map of their levels, in which a missing sample is a `HOLE`.
    """
    levels = sigma.expand_as(y).clone()
    for k in range(len(y)):
        missing = missing_samples(*y.shape[1:3], rng)
        for plane, gone, level in zip(y[k], missing, levels[k], strict=True):
            plane.copy_(torch.from_numpy(fill_nearest(plane.numpy(), ~gone)))
            level[torch.from_numpy(gone.copy())] = HOLE
    return y, levels


@torch.no_grad()
def refilled(net: nn.Module, y: Tensor, levels: Tensor, times: int) -> Tensor:
    """Fill holes with what the network makes of them, so often: it learns to better that too."""
    for _ in range(times):
        with torch.autocast(y.device.type, dtype=torch.bfloat16):
            y = torch.where(levels == HOLE, net(y, levels).float(), y)
    return y


def denoising_loss(net: nn.Module, x: Tensor, y: Tensor, levels: Tensor, sigma: Tensor) -> Tensor:
    """Mean logarithm of each patch's squared error: what PSNR, which judges a denoiser, counts.

    Every level and every patch then counts alike in decibels. The floor keeps patches without
    content, where next to nothing is left of the noise, from ruling the others.
    """
    with torch.autocast(x.device.type, dtype=torch.bfloat16):
        restored = net(y, levels)
    error = (restored.float() - x).square().mean((1, 2, 3))
    return (error + FLOOR * sigma.flatten().square() + 1e-6).log().mean()


@torch.no_grad()
def validate(
    net: nn.Module, images: list[np.ndarray], device: torch.device, *, holes: bool
) -> list[float]:
    """Mean PSNR in dB over the central 160 x 160 of each image, at each level."""
    out = []
    for level in VALIDATION_SIGMAS:
        gen, rng = torch.Generator().manual_seed(level), np.random.default_rng(level)
        values = []
        for a in images:
            top, left = ((s - 160) // 2 for s in a.shape[1:])
            x = torch.from_numpy(a[None, :, top : top + 160, left : left + 160] / np.float32(255))
            y = x + torch.randn(x.shape, generator=gen) * level / 255
            sigma = torch.full((1, 1, 1, 1), level / 255)
            if holes:
                y, sigma = with_holes(y, sigma, rng)
            with torch.autocast(device.type, dtype=torch.bfloat16):
                restored = net(y.to(device), sigma.to(device)).float().cpu().clamp(0, 1)
            values.append(float(-10 * torch.log10((restored - x).square().mean())))
        out.append(float(np.mean(values)))
    return out


def build(
    denoiser: str, channels: int, *, depth: int | None, bias: bool, holes: bool
) -> DenoisingNetwork:
    """The network to train, with its initial weights."""
    if denoiser == "ffdnet":
        net: DenoisingNetwork = FFDNet(
            channels, depth=depth, bias=bias, residual=True, by_sample=holes
        )
    elif holes:
        raise SystemExit(f"{denoiser} takes no map of levels: no --holes")
    elif channels != 1:
        raise SystemExit(f"{denoiser} is for gray images: --channels 1")
    else:
        net = DnCNN(bias=bias) if denoiser == "dncnn" else TNRD()
    if chain(net):
        initialise(net)
    return net


def chain(net: nn.Module) -> list[nn.Conv2d]:
    """The convolutions of a plain chain, in their order; none in a TNRD."""
    return [m for m in net.modules() if isinstance(m, nn.Conv2d)]


@torch.no_grad()
def initialise(net: DenoisingNetwork) -> None:
    """He's initialisation, its inner layers at a quarter of its strength beside an identity.

    A plain chain without normalisation then starts like a residual network
    (Zagoruyko and Komodakis 2017, "DiracNets"): half a decibel better after 2200 iterations.
    """
    convs = chain(net)
    for conv in convs:
        nn.init.kaiming_normal_(conv.weight)
        if conv.bias is not None:
            nn.init.zeros_(conv.bias)
        if conv.in_channels == conv.out_channels:
            conv.weight.mul_(KAIMING)
            conv.weight[:, :, 1, 1] += IDENTITY * torch.eye(conv.in_channels)
    convs[-1].weight.mul_(0.1)  # the noise that is predicted starts near zero


@torch.no_grad()
def start_from(net: DenoisingNetwork, path: Path) -> None:
    """Load weights, also those of a network with fewer layers, or with one level a pixel.

    Half-way through the chain, what the layers it has not got are is nothing: the identity.
    """
    state = load_file(path)
    if not isinstance(net, FFDNet):
        net.load_state_dict(state)
        return
    convs = chain(net)
    if ("model.0.bias" in state) != net.bias:
        raise SystemExit(f"{path}: with biases or without, as the network to train (--bias)")
    names = [f"model.{2 * k}" for k in range(sum(k.endswith(".weight") for k in state))]
    first = state["model.0.weight"]
    if net.by_sample and first.shape[1] % 2:
        levels = 4 * net.channels
        spread = first[:, levels:].expand(-1, levels, -1, -1) / levels
        state["model.0.weight"] = torch.cat([first[:, :levels], spread], 1)
    half, more = len(names) // 2, len(convs) - len(names)
    for conv in convs[half : half + more]:
        nn.init.dirac_(conv.weight)
        if conv.bias is not None:
            nn.init.zeros_(conv.bias)
    for name, conv in zip(names, convs[:half] + convs[half + more :], strict=True):
        conv.weight.copy_(state[f"{name}.weight"])
        if conv.bias is not None:
            conv.bias.copy_(state[f"{name}.bias"])


class _Folded(nn.Module):
    """A convolution's weight from a matrix with a row for each output: what Muon works on."""

    def __init__(self, shape: torch.Size) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, matrix: Tensor) -> Tensor:
        return matrix.view(self.shape)

    def right_inverse(self, weight: Tensor) -> Tensor:
        return weight.flatten(1)


def optimisers(net: DenoisingNetwork, rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the inner layers, Adam for the first, the last, and biases.

    Muon (Jordan et al. 2024; its step's size as in Liu et al. 2025) needs a tenth of Adam's
    iterations at the start of such a chain: after 2000, it is 0.6 dB ahead. A TNRD has no such
    layers: Adam for all of it.
    """
    convs = chain(net)
    for conv in convs[1:-1]:
        parametrize.register_parametrization(conv, "weight", _Folded(conv.weight.shape))
    inner = [conv.parametrizations.weight.original for conv in convs[1:-1]]
    others = [p for p in net.parameters() if all(p is not q for q in inner)]
    adam = torch.optim.Adam(others, rate, betas=(0.9, 0.99))
    if not inner:
        return [adam]
    return [torch.optim.Muon(inner, rate, weight_decay=0, adjust_lr_fn="match_rms_adamw"), adam]


def plain_state(net: DenoisingNetwork) -> dict[str, Tensor]:
    """The network's weights under the names and in the shapes that they ship in."""
    if not chain(net):
        return net.state_dict()
    convs = ((name, m) for name, m in net.named_modules() if isinstance(m, nn.Conv2d))
    return {
        f"{name}.{kind}": value.detach()
        for name, conv in convs
        for kind in ("weight", "bias")
        if (value := getattr(conv, kind)) is not None
    }


def learning_rate(iteration: int, total: int, peak: float, decay: float) -> float:
    """Short warm-up, constant, then linear to zero over the last `decay` share."""
    return peak * min(1.0, (iteration + 1) / 200, (total - iteration) / max(1.0, decay * total))


def save_model(net: DenoisingNetwork, path: Path, *, half: bool, **notes: object) -> None:
    """Write the weights with what is needed to build the network again."""
    meta = {
        "architecture": net.architecture.lower(),
        "channels": str(net.channels),
        "residual": str(getattr(net, "residual", False)).lower(),
        **{k: str(v) for k, v in notes.items()},
    }
    dtype = torch.float16 if half else torch.float32
    tensors = {k: v.to("cpu", dtype).contiguous() for k, v in plain_state(net).items()}
    part = path.with_suffix(".part")
    save_file(tensors, part, metadata=meta)
    part.replace(path)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--denoiser", choices=MIN_SIGMA, default="ffdnet")
    p.add_argument("--channels", type=int, choices=(1, 3), required=True)
    p.add_argument("--data", type=Path, nargs="+", required=True, help="folders of clean images")
    p.add_argument("--validate", type=Path, help="folder of images to report PSNR on")
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--init", type=Path, help="weights to start from (safetensors)")
    p.add_argument("--scales", type=float, nargs="+", default=SCALES, help="sizes of the images")
    p.add_argument("--iterations", type=int, default=200_000)
    p.add_argument("--decay", type=float, default=0.4, help="share of the run with falling rate")
    p.add_argument("--batch", type=int, default=8)
    p.add_argument("--patch", type=int, default=64)
    p.add_argument("--lr", type=float, default=2e-3)
    p.add_argument(
        "--tilt", type=float, default=1.0, help="of the noise levels: below 1, more high ones"
    )
    p.add_argument(
        "--own", type=float, default=0.0, help="share of patches with noise of 25/255 exactly"
    )
    p.add_argument("--drawn", type=float, default=0.25, help="share of drawn patches")
    p.add_argument("--holes", action="store_true", help="patches with missing samples")
    p.add_argument("--depth", type=int, help="number of convolutions of an FFDNet")
    p.add_argument("--bias", action="store_true", help="convolutions with a bias")
    p.add_argument("--half", action="store_true", help="write the weights with 16 bits")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--threads", type=int, default=0, help="0: as torch chooses")
    p.add_argument("--device", default="cpu")
    p.add_argument("--every", type=int, default=2000, help="iterations between checkpoints")
    args = p.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    torch.manual_seed(args.seed)

    net = build(args.denoiser, args.channels, depth=args.depth, bias=args.bias, holes=args.holes)
    if args.init:
        start_from(net, args.init)
    net.to(device, memory_format=torch.channels_last)
    steppers = optimisers(net, args.lr)

    args.out.mkdir(parents=True, exist_ok=True)
    checkpoint, log = args.out / "checkpoint.pt", args.out / "log.csv"
    start, seconds = 0, 0.0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True, map_location=device)
        net.load_state_dict(state["net"])
        for stepper, its in zip(steppers, state["optimisers"], strict=True):
            stepper.load_state_dict(its)
        start, seconds = state["iteration"], state["seconds"]
    else:
        log.write_text("iteration,lr,loss,psnr15,psnr25,psnr50,seconds\n")

    images = load_images(args.data, args.channels, tuple(args.scales))
    held_out = load_images([args.validate], args.channels) if args.validate else []
    running, clock = 0.0, time.perf_counter()
    bar = tqdm(range(start, args.iterations), initial=start, total=args.iterations, mininterval=10)
    for it in bar:
        rng = np.random.default_rng([args.seed, it])
        gen = torch.Generator().manual_seed(int(rng.integers(2**62)))
        x = sample_patches(images, args.batch, args.patch, args.drawn, rng)
        least = MIN_SIGMA[args.denoiser]
        sigma = sample_levels(args.batch, least, args.tilt, args.own, gen)
        y, levels = x + sigma * torch.randn(x.shape, generator=gen), sigma
        if args.holes:
            y, levels = with_holes(y, sigma, rng)
        rate = learning_rate(it, args.iterations, args.lr, args.decay)
        for group in (group for stepper in steppers for group in stepper.param_groups):
            group["lr"] = rate
        x, y, levels, sigma = (t.to(device) for t in (x, y, levels, sigma))
        if args.holes:
            y = refilled(net, y, levels, rng.choice(3, p=REFILLED))
        net.zero_grad(set_to_none=True)
        loss = denoising_loss(net, x, y, levels, sigma)
        loss.backward()
        for stepper in steppers:
            stepper.step()
        running += float(loss.detach())
        if (it + 1) % args.every == 0 or it + 1 == args.iterations:
            seconds += time.perf_counter() - clock
            psnr = [float("nan")] * len(VALIDATION_SIGMAS)
            if held_out:
                psnr = validate(net, held_out, device, holes=args.holes)
            bar.set_postfix_str(" ".join(f"{v:.2f}" for v in psnr))
            n = (it % args.every) + 1
            with log.open("a", newline="") as f:
                row = [it + 1, f"{rate:.2e}", f"{running / n:.5f}", *(f"{v:.3f}" for v in psnr)]
                csv.writer(f).writerow([*row, f"{seconds:.0f}"])
            state = {"net": net.state_dict(), "optimisers": [s.state_dict() for s in steppers]}
            part = checkpoint.with_suffix(".part")
            torch.save({**state, "iteration": it + 1, "seconds": seconds}, part)
            part.replace(checkpoint)
            notes = {"iterations": it + 1, "seed": args.seed}
            save_model(net, args.out / "model.safetensors", half=args.half, **notes)
            running, clock = 0.0, time.perf_counter()


if __name__ == "__main__":
    main()

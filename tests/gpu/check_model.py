#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The arithmetic of bench/cuda_model.py, as a TAP test: check_model.py ROOT [OBJECT]

OBJECT has attention's machine code; what is counted in it is compared where there is
a cuobjdump.
"""

import dataclasses
import pathlib
import sys

ROOT = pathlib.Path(sys.argv[1]).absolute()
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "bench"))

import cuda_model as cm  # noqa: E402

SHAPES = cm.read_shapes()
# Two layers of a loop of 2 + 4 instructions, and a jump forwards.
LISTING = """
\tcode for sm_90a
\t\tFunction : _Z12flash_kernelI6PeBf16Li64ELi64ELi2ELi4ELb0ES0_EvPT4_PKT_PKiPKfiib
        /*0000*/                   MOV R1, c[0x0][0x28] ;    /* 0x00000a0000017a02 */
        /*0010*/              @!P0 BRA 0x70 ;                /* 0x0000000000000947 */
        /*0020*/                   HMMA.16816.F32.BF16 R4, R8, R12, R4 ;  /* 0x0 */
        /*0030*/                   HMMA.16816.F32.BF16 R4, R8, R14, R4 ;  /* 0x0 */
        /*0040*/              @P1 MUFU.EX2 R5, R5 ;          /* 0x0000000500057308 */
        /*0050*/                   FSEL R6, R6, -1e30, P2 ;  /* 0x0000000506067208 */
        /*0060*/               @P3 BRA 0x20 ;                /* 0x0000000000003947 */
        /*0070*/                   EXIT ;                    /* 0x000000000000794d */
"""


WIDE = ("bf16", "fp16")


def models(wanted=(*WIDE, "fp8", "int8")):
    """Those that the cards have."""
    for card in cm.CARDS:
        for config in cm.MODELS.values():
            for precision in card.precisions:
                if precision in wanted:
                    yield cm.Model(card, SHAPES[config], precision)


def shapes_and_their_operations():
    """The published GFLOP of an image, by timm's way of counting."""
    wanted = {"PE-Core-T16-384": 9.5, "PE-Core-S16-384": 31.3,
              "PE-Core-B16-224": 35.6, "PE-Core-L14-336": 384.4,
              "PE-Core-G14-448": 4118.6}
    for name, gflop in wanted.items():
        found = SHAPES[name].flops() / 1e9
        assert abs(found - gflop) < 0.06, (name, found)
    assert SHAPES["PE-Core-G14-448"].head_dim == 96
    assert [SHAPES[c].tokens for c in cm.MODELS.values()] == [197, 577, 1024]


def the_passes_multiply_what_the_formula_says():
    for m in models(("bf16", "int8")):
        s, products = m.shape, []
        real = m.product
        m.product = lambda rows, n, k, out, gelu=False: (
            products.append(2 * rows * n * k), real(rows, n, k, out, gelu))[1]
        m.layer(30)
        n, d = s.tokens, s.width
        # In 16 bits fc1 is priced twice, with either GELU.
        twice = 0 if m.int8 else 2 * 30 * n * d * s.mlp
        assert sum(products) - twice == (
            2 * 30 * (4 * n * d * d + 2 * n * d * s.mlp)), (m.card.name, m.precision)


def nothing_is_faster_than_its_floor():
    for m in models():
        flops = m.shape.flops()
        fastest = m.card.rate * (cm.FP8 if m.fp8 else 1)
        if m.int8:
            fastest *= m.card.int8 / m.card.flops
        for batch in (1, 7, 28, 64):
            assert m.seconds(batch, host=False) > batch * flops / fastest
            assert m.seconds(batch) > m.seconds(batch, host=False)


def more_work_takes_longer():
    for m in models():
        # One slice that is full ends in part of a tile, and two need not.
        least = 0.96 if m.int8 else 1
        times = [m.seconds(b) for b in range(1, 65)]
        assert all(b >= least * a for a, b in zip(times, times[1:])), (
            m.card.name, m.shape)
        assert all(t > 0 for t in m.layer(5).values())


def better_cards_are_not_slower():
    for m in models():
        for better in ({"ghz": 2 * m.card.ghz}, {"memory": 2 * m.card.memory},
                       {"mma": 2 * m.card.mma}, {"cache": 2 * m.card.cache},
                       {"int8": 2 * m.card.int8}):
            card = dataclasses.replace(m.card, **better)
            other = cm.Model(card, m.shape, m.precision)
            for batch in (1, 5, 28):
                assert other.seconds(batch) <= m.seconds(batch) * 1.0001, better
    assert cm.CARDS[0].memory > cm.CARDS[1].memory
    for config in cm.MODELS.values():
        h200, h100 = (cm.Model(c, SHAPES[config]) for c in cm.CARDS[:2])
        assert h200.rate(h200.best_batch()) >= h100.rate(h100.best_batch())


def cards_are_told_by_a_word():
    assert [c.word for c in cm.CARDS] == ["H200", "H100", "A100", "L4", "4090",
                                          "A10", "T4"]
    for name, word in (("NVIDIA A100-SXM4-80GB", "A100"), ("NVIDIA A10", "A10"),
                       ("Tesla T4", "T4"), ("NVIDIA GeForce RTX 4090", "4090")):
        assert cm.find_card(name).word == word, name
    for name in ("NVIDIA A10G", "NVIDIA L40S", "Tesla V100-SXM2-16GB", ""):
        assert cm.find_card(name) is None, name


def dependent_launches_save_gaps_alone():
    """All of them with products of ours, more of one image's time than of a batch's."""
    for m in models(WIDE):
        gap = cm.LAUNCH_S - cm.DEPENDENT_S
        for own, launches in ((True, 6), (False, 1)):
            shares = []
            for batch in (1, 22):
                plain, early = m.dependents(batch, own)
                assert abs(plain - early - m.shape.layers * launches * gap) < 1e-12
                assert early > m.shape.flops() * batch / m.card.rate
                shares.append(1 - early / plain)
            assert shares[0] > shares[1] > 0, shares


def fp8_is_not_slower():
    for m in models(["fp8"]):
        wide = cm.Model(m.card, m.shape)
        for batch in (1, 14, 56):
            assert m.seconds(batch) < wide.seconds(batch)


def int8_is_faster_but_on_hopper():
    """On Hopper mma.sync reaches too little of what the library does in 16 bits."""
    for m in models(["int8"]):
        wide = cm.Model(m.card, m.shape, m.card.precisions[0])
        faster = m.rate(m.best_batch()) > wide.rate(wide.best_batch())
        assert faster == (m.card.sm != 90), (m.card.name, m.shape)


def int8_steps_are_what_is_scarcer():
    a100, t4 = (next(c for c in cm.CARDS if c.word == w) for w in ("A100", "T4"))
    large, small = cm.INT8_TILES
    # Shared memory: 8 warps of 96 rows of 32 bytes, and 256 rows that come in.
    bound = (8 * 96 * 32 + 256 * 32) / 128
    assert cm.int8_step(cm.CARDS[0], large) == bound / cm.INT8_REACHED
    # Tensor cores: 2 operations for each of 128 x 128 x 32.
    assert cm.int8_step(t4, large) == 2 * 128 * 128 * 32 / 2048 / cm.INT8_REACHED
    for card in cm.CARDS:
        assert 4 * cm.int8_step(card, small) >= cm.int8_step(card, large)
    assert cm.int8_step(a100, large) > bound / cm.INT8_REACHED


def slices_are_all_rows():
    for m in models(["int8"]):
        room = (32 if m.card.sm == 90 else 8) << 20
        for rows in (1, 127, 128, 5000, 22528):
            for k in (768, 1536, 8960):
                slices = m.slices(rows, k)
                assert sum(slices) == rows, slices
                assert max(slices) * (k + 4) <= room, slices
                assert all(n % 128 == 0 for n in slices[:-1]), slices
                assert len(slices) == 1 or (slices[0] + 128) * (k + 4) > room, slices
                assert m.turning(rows, k) > 3 * rows * k / m.card.cache_rate


def the_best_batch_is_allowed_and_best():
    for m in models([*WIDE, "int8"]):
        b = m.best_batch()
        most = max(1, min(cm.MOST_IMAGES, cm.MOST_ROWS // m.shape.tokens))
        assert 1 <= b <= most
        assert all(m.rate(b) >= 0.99 * m.rate(o) for o in range(1, most + 1))


def loops_are_counted():
    found = cm.counted_tiles(LISTING)
    counts = found[64, 64, 2]
    share = 64 / 80
    assert counts == {"HMMA": 2 * share, "MUFU": share, "LDSM": 0,
                      "issued": 4 * share}, counts
    # What rotates or writes 8 bits has other instructions besides.
    for other in "Lb1ES0_", "Lb0E6PeE4m3":
        assert cm.counted_tiles(LISTING.replace("Lb0ES0_", other)) == {}, other
    assert cm.counted_tiles("") == {}
    assert cm.counted_tiles(LISTING.replace("0x20 ;", "0x70 ;")) == {}


def attention_multiplies_as_its_source_does():
    """What the compiler made of a tile, beside the tile's own arithmetic."""
    if len(sys.argv) < 3:
        return "there is no module"
    listing = cm.disassemble(sys.argv[2])
    if not listing or "Function :" not in listing:
        return "there is no cuobjdump with nvdisasm"
    found = cm.counted_tiles(listing)
    assert len(found) >= 4, found
    for (dim, keys, m), counts in found.items():
        source = cm.tile_counts(dim, keys, m)
        for op in ("HMMA", "LDSM"):
            assert abs(counts[op] - source[op]) < 0.01, (dim, keys, m, op, counts)
        assert source["MUFU"] <= counts["MUFU"] <= 1.3 * source["MUFU"], counts
        assert counts["issued"] > counts["HMMA"] + counts["MUFU"]
    return None


def the_table_is_printed_and_recorded():
    """The recorded page is of this script, with all its rows."""
    text = (ROOT / "bench/results/cuda_model.md").read_text()
    for card in cm.CARDS:
        assert f"| {card.name} |" in text and card.source in text, card.name
    for assumption in cm.ASSUMPTIONS:
        assert " ".join(assumption.split()) in " ".join(text.split()), assumption
    assert "bench/cuda_model.py" in text
    first, _, dependents = text.partition("## Dependent launches")
    rows = [x for x in first.splitlines() if x.split(" | ")[-1:] and "% |" in x]
    precisions = sum(len(card.precisions) for card in cm.CARDS)
    assert len(rows) == precisions * len(cm.MODELS), len(rows)
    assert text.count("| int8 |") == 2 + len(cm.CARDS) * len(cm.MODELS)
    assert dependents.count("% |") == 2 * 4 * len(cm.MODELS), dependents


CASES = [shapes_and_their_operations, the_passes_multiply_what_the_formula_says,
         nothing_is_faster_than_its_floor, more_work_takes_longer,
         better_cards_are_not_slower, cards_are_told_by_a_word,
         dependent_launches_save_gaps_alone, fp8_is_not_slower,
         int8_is_faster_but_on_hopper, int8_steps_are_what_is_scarcer,
         slices_are_all_rows,
         the_best_batch_is_allowed_and_best, loops_are_counted,
         attention_multiplies_as_its_source_does, the_table_is_printed_and_recorded]


def main():
    failed = False
    print(f"1..{len(CASES)}")
    for number, case in enumerate(CASES, 1):
        try:
            skip = case()
            print(f"ok {number} - {case.__name__}{f' # SKIP {skip}' if skip else ''}")
        except AssertionError as e:
            failed = True
            print(f"# {e}\nnot ok {number} - {case.__name__}")
    return failed


if __name__ == "__main__":
    sys.exit(main())

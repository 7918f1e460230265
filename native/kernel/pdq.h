// PDQ, a 256-bit perceptual hash of a picture.
//
// The reference blurs the whole picture twice with box filters and keeps 64 x 64 samples. That is linear: the
// samples are R X transposed(C) with banded R and C, which touch each pixel about once. This file computes them so.
// The reference adds in single precision with running sums, whose rounding decides a bit where the two middle
// coefficients all but coincide. Where they are that close, the sums are done again in the order of the reference.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu.h"
#include "status.h"

namespace vigil {

enum class PixelKind : int { rgb8 = 0, luma8 = 1, luma32f = 2 };

struct Picture {
    const void* pixels;
    std::size_t height;
    std::size_t width;
    std::ptrdiff_t row_stride;  // bytes from a row to the next; pixels of a row lie side by side
    PixelKind kind;
};

struct PdqHash {
    std::uint8_t bits[32];
    int quality;  // 0 to 100
};

constexpr std::size_t pdq_largest_side = std::size_t{1} << 20;  // pixels; beyond it weights would need other types
constexpr std::size_t pdq_smallest_side = 5;                    // pixels; below it: no bits, quality 0

enum class PdqOrder : int {
    automatic = 0,  // one pass; again in the order of the reference where rounding decides
    one_pass = 1,
    reference = 2,
};

Status pdq_hash(const Picture& picture, PdqOrder order, Isa isa, PdqHash* result);

// Hashes of the eight turned and mirrored forms, each as if computed from the turned pixels. Order: original,
// rotated 90, 180, 270 degrees counter-clockwise, mirrored left-right, flipped top-bottom, transposed, transposed
// across the other diagonal. The original is in automatic order, the others in one pass.
Status pdq_variants(const Picture& picture, Isa isa, PdqHash result[8]);

// The 64 x 64 samples and the 16 x 16 coefficients, for comparison with the twin.
Status pdq_samples(const Picture& picture, PdqOrder order, Isa isa, float samples[64 * 64]);
void pdq_coefficients(const float samples[64 * 64], float coefficients[16 * 16]);

}  // namespace vigil

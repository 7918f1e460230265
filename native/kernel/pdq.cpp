#include "pdq.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>
#include <vector>

#if defined(VIGIL_X86)
#include <immintrin.h>
#endif
#if defined(VIGIL_NEON)
#include <arm_neon.h>
#endif

namespace vigil {
namespace {

constexpr int side64 = 64;
constexpr int side16 = 16;
constexpr float luma_scale = 1000.0f;  // luminance of RGB is counted in thousandths: exact in 32 bits

// Largest distance between our coefficients and the reference's is about 1.5e-3 (measured, all sizes to 2500); two
// neighbours closer than this may change places.
constexpr float coefficient_doubt = 6e-3f;
// Steps of the quality measure closer than this to a whole number may be counted otherwise by the reference.
constexpr float step_doubt = 2e-3f;

// ---- weights -------------------------------------------------------------------------------------------------

struct Box {
    long full, before, after;  // pixels averaged: from c - before to c + after
    explicit Box(std::size_t side) {
        full = static_cast<long>((side + 127) / 128);
        after = (full + 2) / 2 - 1;
        before = full - after - 1;
    }
};

std::size_t centre_of(int sample, std::size_t side) {
    return static_cast<std::size_t>(((sample + 0.5) * static_cast<double>(side)) / side64);
}

// One row of the box filter squared: weights of the pixels first, first + 1, …, in units of 1 / full^2. Away from
// the edges they are the whole numbers 1, 2, …, full, …, 2, 1.
struct Band {
    std::size_t first = 0;
    std::vector<double> weights;
};

Band band_of(int sample, std::size_t side) {
    const Box box(side);
    const long last = static_cast<long>(side) - 1;
    const long centre = static_cast<long>(centre_of(sample, side));
    const long from = std::max(0L, centre - box.before), to = std::min(last, centre + box.after);
    const long low = std::max(0L, from - box.before), high = std::min(last, to + box.after);
    std::vector<double> steps(static_cast<std::size_t>(high - low + 2), 0.0);
    const double outer = static_cast<double>(box.full) / static_cast<double>(to - from + 1);
    for (long j = from; j <= to; j++) {
        const long left = std::max(0L, j - box.before), right = std::min(last, j + box.after);
        const double weight = outer * (static_cast<double>(box.full) / static_cast<double>(right - left + 1));
        steps[static_cast<std::size_t>(left - low)] += weight;
        steps[static_cast<std::size_t>(right - low + 1)] -= weight;
    }
    Band band;
    band.first = static_cast<std::size_t>(low);
    double sum = 0;
    for (long k = low; k <= high; k++) band.weights.push_back(sum += steps[static_cast<std::size_t>(k - low)]);
    return band;
}

std::vector<Band> bands_of(std::size_t side, bool mirrored) {
    std::vector<Band> bands;
    for (int sample = 0; sample < side64; sample++) {
        Band band = band_of(sample, side);
        if (mirrored) {
            band.first = side - band.first - band.weights.size();
            std::reverse(band.weights.begin(), band.weights.end());
        }
        bands.push_back(std::move(band));
    }
    return bands;
}

// ---- one row of pixels, weighed and added to a row of sums ---------------------------------------------------

template <PixelKind kind>
VIGIL_INLINE float pixel(const std::uint8_t* row, std::size_t x) {
    if (kind == PixelKind::rgb8) {
        const std::uint8_t* p = row + 3 * x;
        return static_cast<float>(299 * p[0] + 587 * p[1] + 114 * p[2]);
    }
    if (kind == PixelKind::luma8) return static_cast<float>(row[x]);
    float value;
    std::memcpy(&value, row + 4 * x, 4);
    return value;
}

template <PixelKind kind>
VIGIL_INLINE void add_row(const std::uint8_t* row, std::size_t from, std::size_t width, float weight, float* sums) {
    for (std::size_t x = from; x < width; x++) sums[x] += pixel<kind>(row, x) * weight;
}

void add_row_portable(PixelKind kind, const std::uint8_t* row, std::size_t width, float weight, float* sums) {
    if (kind == PixelKind::rgb8) add_row<PixelKind::rgb8>(row, 0, width, weight, sums);
    else if (kind == PixelKind::luma8) add_row<PixelKind::luma8>(row, 0, width, weight, sums);
    else add_row<PixelKind::luma32f>(row, 0, width, weight, sums);
}

#if defined(VIGIL_X86)
VIGIL_TARGET_AVX2 std::size_t add_rgb_avx2(const std::uint8_t* row, std::size_t width, float weight, float* sums) {
    const __m256i red_green = _mm256_setr_epi8(0, -1, 1, -1, 3, -1, 4, -1, 6, -1, 7, -1, 9, -1, 10, -1,
                                               0, -1, 1, -1, 3, -1, 4, -1, 6, -1, 7, -1, 9, -1, 10, -1);
    const __m256i blue = _mm256_setr_epi8(2, -1, -1, -1, 5, -1, -1, -1, 8, -1, -1, -1, 11, -1, -1, -1,
                                          2, -1, -1, -1, 5, -1, -1, -1, 8, -1, -1, -1, 11, -1, -1, -1);
    const __m256i share_red_green = _mm256_set1_epi32(299 | (587 << 16));
    const __m256i share_blue = _mm256_set1_epi32(114);
    const __m256 factor = _mm256_set1_ps(weight);
    std::size_t x = 0;
    // Eight pixels are 24 bytes; the second load reaches four bytes further, hence ten pixels must be left.
    for (; x + 10 <= width; x += 8) {
        const std::uint8_t* p = row + 3 * x;
        const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
        const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 12));
        const __m256i bytes = _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
        const __m256i first = _mm256_madd_epi16(_mm256_shuffle_epi8(bytes, red_green), share_red_green);
        const __m256i second = _mm256_madd_epi16(_mm256_shuffle_epi8(bytes, blue), share_blue);
        const __m256 luma = _mm256_cvtepi32_ps(_mm256_add_epi32(first, second));
        _mm256_storeu_ps(sums + x, _mm256_add_ps(_mm256_loadu_ps(sums + x), _mm256_mul_ps(luma, factor)));
    }
    return x;
}

VIGIL_TARGET_AVX2 void add_row_avx2(PixelKind kind, const std::uint8_t* row, std::size_t width, float weight, float* sums) {
    if (kind == PixelKind::rgb8) {
        add_row<PixelKind::rgb8>(row, add_rgb_avx2(row, width, weight, sums), width, weight, sums);
    } else if (kind == PixelKind::luma8) {
        add_row<PixelKind::luma8>(row, 0, width, weight, sums);
    } else {
        add_row<PixelKind::luma32f>(row, 0, width, weight, sums);
    }
}
#endif

#if defined(VIGIL_NEON)
std::size_t add_rgb_neon(const std::uint8_t* row, std::size_t width, float weight, float* sums) {
    std::size_t x = 0;
    for (; x + 8 <= width; x += 8) {
        const uint8x8x3_t p = vld3_u8(row + 3 * x);
        const uint16x8_t red = vmovl_u8(p.val[0]), green = vmovl_u8(p.val[1]), blue = vmovl_u8(p.val[2]);
        uint32x4_t low = vmull_n_u16(vget_low_u16(red), 299), high = vmull_n_u16(vget_high_u16(red), 299);
        low = vmlal_n_u16(low, vget_low_u16(green), 587);
        high = vmlal_n_u16(high, vget_high_u16(green), 587);
        low = vmlal_n_u16(low, vget_low_u16(blue), 114);
        high = vmlal_n_u16(high, vget_high_u16(blue), 114);
        vst1q_f32(sums + x, vaddq_f32(vld1q_f32(sums + x), vmulq_n_f32(vcvtq_f32_u32(low), weight)));
        vst1q_f32(sums + x + 4, vaddq_f32(vld1q_f32(sums + x + 4), vmulq_n_f32(vcvtq_f32_u32(high), weight)));
    }
    return x;
}
#endif

void add_row_to(const Picture& picture, std::size_t y, float weight, Isa isa, float* sums) {
    const auto* row = static_cast<const std::uint8_t*>(picture.pixels) + static_cast<std::ptrdiff_t>(y) * picture.row_stride;
#if defined(VIGIL_X86)
    if (isa == Isa::avx2) return add_row_avx2(picture.kind, row, picture.width, weight, sums);
#endif
#if defined(VIGIL_NEON)
    if (isa == Isa::neon && picture.kind == PixelKind::rgb8) {
        return add_row<PixelKind::rgb8>(row, add_rgb_neon(row, picture.width, weight, sums), picture.width, weight, sums);
    }
#endif
    (void)isa;
    add_row_portable(picture.kind, row, picture.width, weight, sums);
}

// ---- samples in one pass -------------------------------------------------------------------------------------

// Four partial sums, always the same four, so that every processor gets the same value.
double weighed(const Band& band, const float* sums) {
    const double* w = band.weights.data();
    const float* s = sums + band.first;
    const std::size_t n = band.weights.size();
    double a = 0, b = 0, c = 0, d = 0;
    std::size_t k = 0;
    for (; k + 4 <= n; k += 4) {
        a += w[k] * s[k];
        b += w[k + 1] * s[k + 1];
        c += w[k + 2] * s[k + 2];
        d += w[k + 3] * s[k + 3];
    }
    for (; k < n; k++) a += w[k] * s[k];
    return (a + b) + (c + d);
}

double unit_of(const Picture& picture) {
    const double rows = static_cast<double>(Box(picture.height).full), columns = static_cast<double>(Box(picture.width).full);
    return (picture.kind == PixelKind::rgb8 ? luma_scale : 1.0) * rows * rows * columns * columns;
}

// Samples for `rows` and for each set of `columns`: one walk over the pixels.
void sample_pass(const Picture& picture, const std::vector<Band>& rows, const std::vector<const std::vector<Band>*>& columns,
                 Isa isa, const std::vector<float*>& samples) {
    std::vector<float> sums(picture.width);
    const double unit = unit_of(picture);
    const Band* previous = nullptr;
    for (int i = 0; i < side64; i++) {
        const Band& band = rows[static_cast<std::size_t>(i)];
        const bool same = previous && previous->first == band.first && previous->weights == band.weights;
        if (!same) {
            std::fill(sums.begin(), sums.end(), 0.0f);
            for (std::size_t k = 0; k < band.weights.size(); k++) {
                add_row_to(picture, band.first + k, static_cast<float>(band.weights[k]), isa, sums.data());
            }
        }
        previous = &band;
        for (std::size_t set = 0; set < columns.size(); set++) {
            for (int j = 0; j < side64; j++) {
                const double value = weighed((*columns[set])[static_cast<std::size_t>(j)], sums.data());
                samples[set][i * side64 + j] = static_cast<float>(value / unit);
            }
        }
    }
}

// ---- samples in the order of the reference -------------------------------------------------------------------

// One box filter along a line that is fed value by value; the running sum and its rounding are the reference's.
void box_line(const float* in, std::size_t length, long full, float* out) {
    const std::size_t half = static_cast<std::size_t>((full + 2) / 2), window = static_cast<std::size_t>(full);
    float sum = 0.0f;
    std::size_t right = 0, left = 0, o = 0;
    while (right < half - 1) sum += in[right++];
    while (right < window) {
        sum += in[right++];
        out[o++] = sum / static_cast<float>(right);
    }
    while (right < length) {
        sum += in[right++];
        sum -= in[left++];
        out[o++] = sum / static_cast<float>(window);
    }
    for (std::size_t count = window - 1; o < length; count--) {
        sum -= in[left++];
        out[o++] = sum / static_cast<float>(count);
    }
}

void luma_row(const Picture& picture, std::size_t y, float* out) {
    const auto* row = static_cast<const std::uint8_t*>(picture.pixels) + static_cast<std::ptrdiff_t>(y) * picture.row_stride;
    for (std::size_t x = 0; x < picture.width; x++) {
        // A whole number of thousandths divided once: the same float as the reference's sum in double precision.
        if (picture.kind == PixelKind::rgb8) out[x] = pixel<PixelKind::rgb8>(row, x) / luma_scale;
        else if (picture.kind == PixelKind::luma8) out[x] = pixel<PixelKind::luma8>(row, x);
        else out[x] = pixel<PixelKind::luma32f>(row, x);
    }
}

// The four filters run as a stream: a row filtered, added to the running column sums, filtered again and cut to its
// 64 columns; only `full` rows are held at a time.
struct ReferenceStream {
    const Picture& picture;
    std::size_t width, height;
    long full_x, full_y;
    std::vector<float> ring, sums, line, filtered, narrow;
    std::size_t emitted = 0;

    explicit ReferenceStream(const Picture& p)
        : picture(p), width(p.width), height(p.height), full_x(Box(p.width).full), full_y(Box(p.height).full),
          ring(static_cast<std::size_t>(full_y) * width), sums(width, 0.0f), line(width), filtered(width),
          narrow(height * side64) {}

    float* slot(std::size_t y) { return ring.data() + (y % static_cast<std::size_t>(full_y)) * width; }

    void emit(std::size_t count) {
        const float divisor = static_cast<float>(count);
        for (std::size_t x = 0; x < width; x++) line[x] = sums[x] / divisor;
        box_line(line.data(), width, full_x, filtered.data());
        for (int j = 0; j < side64; j++) narrow[emitted * side64 + static_cast<std::size_t>(j)] = filtered[centre_of(j, width)];
        emitted++;
    }

    void feed(std::size_t y) {
        const std::size_t window = static_cast<std::size_t>(full_y), half = (window + 2) / 2;
        luma_row(picture, y, line.data());
        box_line(line.data(), width, full_x, filtered.data());
        for (std::size_t x = 0; x < width; x++) sums[x] += filtered[x];
        if (y >= window) {
            const float* old = slot(y);
            for (std::size_t x = 0; x < width; x++) sums[x] -= old[x];
        }
        std::memcpy(slot(y), filtered.data(), width * sizeof(float));
        if (y + 1 >= half) emit(std::min(y + 1, window));
    }

    void drain() {
        std::size_t count = static_cast<std::size_t>(full_y);
        for (std::size_t y = height - count; emitted < height; y++) {
            const float* old = slot(y);
            for (std::size_t x = 0; x < width; x++) sums[x] -= old[x];
            emit(--count);
        }
    }

    void run(float* samples) {
        for (std::size_t y = 0; y < height; y++) feed(y);
        drain();
        std::vector<float> column(height), smooth(height);
        for (int j = 0; j < side64; j++) {
            for (std::size_t y = 0; y < height; y++) column[y] = narrow[y * side64 + static_cast<std::size_t>(j)];
            box_line(column.data(), height, full_y, smooth.data());
            for (int i = 0; i < side64; i++) samples[i * side64 + j] = smooth[centre_of(i, height)];
        }
    }
};

void reference_samples(const Picture& picture, float* samples) {
    if (picture.height == side64 && picture.width == side64) {
        for (std::size_t y = 0; y < side64; y++) luma_row(picture, y, samples + y * side64);
        return;
    }
    ReferenceStream(picture).run(samples);
}

// ---- from samples to bits ------------------------------------------------------------------------------------

struct Transform {
    float rows[side16][side64];
    float columns[side64][side16];
    Transform() {
        const double scale = static_cast<double>(static_cast<float>(std::sqrt(2.0 / side64)));
        for (int i = 0; i < side16; i++) {
            for (int j = 0; j < side64; j++) {
                rows[i][j] = static_cast<float>(scale * std::cos((M_PI / 2.0 / side64) * (i + 1) * (2 * j + 1)));
                columns[j][i] = rows[i][j];
            }
        }
    }
};

const Transform& transform() {
    static const Transform matrix;
    return matrix;
}

// Each sum adds its 64 products from the first to the last, in single precision: that order is part of the result.
void coefficients_of(const float* samples, float* coefficients) {
    const Transform& matrix = transform();
    for (int i = 0; i < side16; i++) {
        float partial[side64] = {};
        for (int k = 0; k < side64; k++) {
            const float factor = matrix.rows[i][k];
            for (int j = 0; j < side64; j++) partial[j] += factor * samples[k * side64 + j];
        }
        float sums[side16] = {};
        for (int k = 0; k < side64; k++) {
            const float factor = partial[k];
            for (int j = 0; j < side16; j++) sums[j] += factor * matrix.columns[k][j];
        }
        std::memcpy(coefficients + i * side16, sums, sizeof(sums));
    }
}

struct Quality {
    int least, value, most;  // of the sum of steps, before scaling
};

void add_step(float first, float second, Quality* quality) {
    const float scaled = ((first - second) * 100.0f) / 255.0f;
    const float size = std::fabs(scaled);
    quality->value += static_cast<int>(size);
    quality->least += static_cast<int>(std::max(0.0f, size - step_doubt));
    quality->most += static_cast<int>(size + step_doubt);
}

Quality quality_of(const float* samples) {
    Quality quality{0, 0, 0};
    for (int i = 0; i < side64; i++) {
        for (int j = 0; j < side64; j++) {
            const float here = samples[i * side64 + j];
            if (i + 1 < side64) add_step(here, samples[(i + 1) * side64 + j], &quality);
            if (j + 1 < side64) add_step(here, samples[i * side64 + j + 1], &quality);
        }
    }
    return quality;
}

int scaled_quality(int steps) { return std::min(steps / 90, 100); }

// Sets the bits and the quality; says whether rounding may have decided one of them.
bool finish(const float* samples, PdqHash* result) {
    float coefficients[side16 * side16], sorted[side16 * side16];
    coefficients_of(samples, coefficients);
    std::memcpy(sorted, coefficients, sizeof(sorted));
    float* middle = sorted + side16 * side16 / 2 - 1;
    std::nth_element(sorted, middle, sorted + side16 * side16);
    const float median = *middle, above = *std::min_element(middle + 1, sorted + side16 * side16);
    std::memset(result->bits, 0, sizeof(result->bits));
    for (int k = 0; k < side16 * side16; k++) {
        if (coefficients[k] > median) result->bits[(255 - k) / 8] |= static_cast<std::uint8_t>(1 << (k % 8));
    }
    const Quality quality = quality_of(samples);
    result->quality = scaled_quality(quality.value);
    return above - median < coefficient_doubt || scaled_quality(quality.least) != scaled_quality(quality.most);
}

Status check(const Picture& picture) {
    if (picture.pixels == nullptr || picture.height == 0 || picture.width == 0) return Status::bad_argument;
    if (picture.height > pdq_largest_side || picture.width > pdq_largest_side) return Status::too_large;
    if (picture.kind != PixelKind::luma32f) return Status::ok;
    for (std::size_t y = 0; y < picture.height; y++) {
        const auto* row = static_cast<const std::uint8_t*>(picture.pixels) + static_cast<std::ptrdiff_t>(y) * picture.row_stride;
        bool good = true;
        for (std::size_t x = 0; x < picture.width; x++) {
            const float value = pixel<PixelKind::luma32f>(row, x);
            good &= value >= 0.0f && value <= 255.0f;
        }
        if (!good) return Status::not_a_number;
    }
    return Status::ok;
}

bool too_small(const Picture& picture) { return std::min(picture.height, picture.width) < pdq_smallest_side; }

void one_pass_samples(const Picture& picture, Isa isa, float* samples) {
    const std::vector<Band> rows = bands_of(picture.height, false), columns = bands_of(picture.width, false);
    sample_pass(picture, rows, {&columns}, isa, {samples});
}

void turn(const float* samples, float* turned) {
    for (int i = 0; i < side64; i++) {
        for (int j = 0; j < side64; j++) turned[j * side64 + i] = samples[i * side64 + j];
    }
}

void hash_checked(const Picture& picture, PdqOrder order, Isa isa, PdqHash* result) {
    float samples[side64 * side64];
    if (order != PdqOrder::reference) {
        one_pass_samples(picture, isa, samples);
        if (!finish(samples, result) || order == PdqOrder::one_pass) return;
    }
    reference_samples(picture, samples);
    finish(samples, result);
}

void variants_checked(const Picture& picture, Isa isa, PdqHash* result) {
    const std::vector<Band> rows[2] = {bands_of(picture.height, false), bands_of(picture.height, true)};
    const std::vector<Band> columns[2] = {bands_of(picture.width, false), bands_of(picture.width, true)};
    // Samples by (rows mirrored, columns mirrored), and the forms that read them straight and turned.
    static constexpr int straight[2][2] = {{0, 4}, {5, 2}}, turned[2][2] = {{6, 1}, {3, 7}};
    std::vector<float> plain(side64 * side64), mirrored(side64 * side64), aside(side64 * side64);
    for (int r = 0; r < 2; r++) {
        sample_pass(picture, rows[r], {&columns[0], &columns[1]}, isa, {plain.data(), mirrored.data()});
        for (int c = 0; c < 2; c++) {
            const float* samples = (c ? mirrored : plain).data();
            finish(samples, &result[straight[r][c]]);
            turn(samples, aside.data());
            finish(aside.data(), &result[turned[r][c]]);
        }
    }
    hash_checked(picture, PdqOrder::automatic, isa, &result[0]);
}

}  // namespace

Status pdq_hash(const Picture& picture, PdqOrder order, Isa isa, PdqHash* result) {
    if (const Status status = check(picture); status != Status::ok) return status;
    std::memset(result, 0, sizeof(*result));
    if (too_small(picture)) return Status::ok;
    try {
        hash_checked(picture, order, has_isa(isa) ? isa : Isa::portable, result);
    } catch (const std::bad_alloc&) {
        return Status::out_of_memory;
    }
    return Status::ok;
}

Status pdq_variants(const Picture& picture, Isa isa, PdqHash result[8]) {
    if (const Status status = check(picture); status != Status::ok) return status;
    std::memset(result, 0, 8 * sizeof(*result));
    if (too_small(picture)) return Status::ok;
    try {
        variants_checked(picture, has_isa(isa) ? isa : Isa::portable, result);
    } catch (const std::bad_alloc&) {
        return Status::out_of_memory;
    }
    return Status::ok;
}

Status pdq_samples(const Picture& picture, PdqOrder order, Isa isa, float samples[64 * 64]) {
    if (const Status status = check(picture); status != Status::ok) return status;
    try {
        if (order == PdqOrder::reference) reference_samples(picture, samples);
        else one_pass_samples(picture, has_isa(isa) ? isa : Isa::portable, samples);
    } catch (const std::bad_alloc&) {
        return Status::out_of_memory;
    }
    return Status::ok;
}

void pdq_coefficients(const float samples[64 * 64], float coefficients[16 * 16]) { coefficients_of(samples, coefficients); }

}  // namespace vigil

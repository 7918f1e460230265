// Runs the kernel on made-up pictures and codes, compares this processor's best path with the portable one, and prints
// a line of checksums. The line is the same on every architecture: tools/other_processors.py compares them.
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "checksum.h"
#include "cpu.h"
#include "hamming.h"
#include "pdq.h"

using namespace vigil;

namespace {

struct Random {
    std::uint64_t state = 88172645463325252ULL;
    std::uint64_t next() {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        return state;
    }
};

// Smooth shapes with some grain: integers only, so that every processor draws the same picture.
std::vector<std::uint8_t> draw(std::size_t height, std::size_t width, Random& random) {
    std::vector<std::uint8_t> pixels(height * width * 3);
    const std::uint64_t a = random.next() % 97 + 3, b = random.next() % 89 + 5;
    for (std::size_t y = 0; y < height; y++)
        for (std::size_t x = 0; x < width; x++)
            for (std::size_t c = 0; c < 3; c++) {
                const std::uint64_t wave = (x * a / (c + 2) + y * b / 3 + (x / 31) * (y / 23) * 37) % 256;
                pixels[(y * width + x) * 3 + c] = static_cast<std::uint8_t>((wave * 7 + random.next() % 32) / 8 + 96 * ((x / 40 + y / 56 + c) % 2));
            }
    return pixels;
}

bool pictures(std::uint64_t* sum) {
    Random random;
    const std::size_t sides[][2] = {{64, 64}, {480, 640}, {97, 131}, {768, 1024}, {1, 300}, {65, 700}, {33, 40}};
    for (const auto& side : sides) {
        const std::vector<std::uint8_t> pixels = draw(side[0], side[1], random);
        for (const PixelKind kind : {PixelKind::rgb8, PixelKind::luma8}) {
            const std::ptrdiff_t stride = static_cast<std::ptrdiff_t>(side[1]) * (kind == PixelKind::rgb8 ? 3 : 1);
            const Picture picture{pixels.data(), side[0], side[1], stride, kind};
            PdqHash best, portable;
            if (pdq_hash(picture, PdqOrder::automatic, best_isa(), &best) != Status::ok) return false;
            if (pdq_hash(picture, PdqOrder::automatic, Isa::portable, &portable) != Status::ok) return false;
            if (std::memcmp(best.bits, portable.bits, sizeof(best.bits)) != 0 || best.quality != portable.quality) return false;
            *sum = checksum(best.bits, sizeof(best.bits), *sum);
        }
    }
    return true;
}

bool codes(std::uint64_t* sum) {
    constexpr std::size_t rows = 20000, queries = 300;
    Random random;
    std::vector<std::uint8_t> stored(rows * code_bytes);
    std::vector<std::uint64_t> ids(rows);
    for (std::uint8_t& byte : stored) byte = static_cast<std::uint8_t>(random.next() >> 56);
    for (std::size_t k = 0; k < rows; k++) ids[k] = k * 3;
    std::unique_ptr<HammingBuild> build;
    if (HammingBuild::create(stored.data(), ids.data(), rows, -1, 1, best_isa(), &build) != Status::ok) return false;
    std::vector<std::uint64_t> room((head_bytes + build->bound()) / 8 + 8, 0);
    auto* bytes = reinterpret_cast<std::uint8_t*>(room.data());
    for (std::size_t step = 0; step < build->steps(); step++)
        if (build->run(step, bytes + head_bytes) != Status::ok) return false;
    FileHead head;
    const std::size_t length = head_bytes + build->length();
    if (hamming_first_commit(bytes, length, &head) != Status::ok) return false;
    std::memcpy(bytes, &head, sizeof(head));
    HammingView view;
    if (hamming_open(bytes, length, &view) != Status::ok) return false;
    if (hamming_verify(view, bytes, 1, best_isa()) != Status::ok) return false;
    std::vector<std::uint8_t> asked(queries * code_bytes);
    for (std::size_t q = 0; q < queries; q++) {
        std::memcpy(&asked[q * code_bytes], &stored[(random.next() % rows) * code_bytes], code_bytes);
        for (std::size_t flips = q % 40; flips > 0; flips--) asked[q * code_bytes + random.next() % 32] ^= 1u << random.next() % 8;
    }
    HammingFound best, portable;
    if (hamming_search(view, asked.data(), queries, 31, 1, best_isa(), &best) != Status::ok) return false;
    if (hamming_search(view, asked.data(), queries, 31, 1, Isa::portable, &portable) != Status::ok) return false;
    if (best.ids != portable.ids || best.offsets != portable.offsets || best.distances != portable.distances) return false;
    *sum = checksum(best.ids.data(), best.ids.size() * 8, checksum(best.distances.data(), best.distances.size(), *sum));
    return best.ids.size() > 200;
}

}  // namespace

int main() {
    std::uint64_t pictures_sum = 0, codes_sum = 0;
    const char* path = best_isa() == Isa::neon ? "neon" : best_isa() == Isa::avx2 ? "avx2" : "portable";
    if (!pictures(&pictures_sum) || !codes(&codes_sum)) {
        std::printf("%s differs from portable\n", path);
        return 1;
    }
    std::printf("%s pictures %016" PRIx64 " codes %016" PRIx64 "\n", path, pictures_sum, codes_sum);
    return 0;
}

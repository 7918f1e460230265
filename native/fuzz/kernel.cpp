// libFuzzer target: a hostile index file, a hostile table, a hostile picture. The first byte chooses.
//
// Checksums are repaired before a file is opened a second time; otherwise the fuzzer would never get past them.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "checksum.h"
#include "digests.h"
#include "hamming.h"
#include "pdq.h"

using namespace vigil;

namespace {

// Exactly as long as the input, aligned as a mapped file is, so that AddressSanitizer sees every step outside.
struct Aligned {
    std::uint8_t* bytes;
    std::size_t size;
    Aligned(const std::uint8_t* data, std::size_t count) : bytes(nullptr), size(count) {
        if (posix_memalign(reinterpret_cast<void**>(&bytes), 64, std::max<std::size_t>(count, 1)) != 0) std::abort();
        if (count > 0) std::memcpy(bytes, data, count);
    }
    ~Aligned() { std::free(bytes); }
    Aligned(const Aligned&) = delete;
    Aligned& operator=(const Aligned&) = delete;
};

void demand(bool truth) {
    if (!truth) std::abort();
}

void use_index(const Aligned& file, unsigned distance) {
    HammingView view;
    if (hamming_open(file.bytes, file.size, &view) != Status::ok) return;
    std::uint8_t queries[2 * code_bytes] = {};
    std::memcpy(queries, file.bytes + file.size - std::min(file.size, sizeof(queries)), std::min(file.size, sizeof(queries)));
    HammingFound fast, slow;
    const Status first = hamming_search(view, queries, 2, distance, 1, best_isa(), &fast);
    const Status second = hamming_search(view, queries, 2, distance, 1, Isa::portable, &slow);
    demand(first == second);
    if (first == Status::ok) demand(fast.ids == slow.ids && fast.offsets == slow.offsets && fast.distances == slow.distances);
    std::vector<std::uint8_t> codes;
    std::vector<std::uint64_t> ids;
    hamming_export(view, &codes, &ids);
    hamming_verify(view, file.bytes, 1, best_isa());
}

// Makes all checksums right that stand in front of the rest.
void repair_index(Aligned& file) {
    if (file.size < 2 * head_bytes) return;
    std::memcpy(file.bytes, "VGLHAM\r\n\1\0\0\0\0\1\0\0", 16);
    auto* head = reinterpret_cast<FileHead*>(file.bytes);
    head->checksum = checksum(head, 16);
    auto* segment = reinterpret_cast<SegmentHead*>(file.bytes + head_bytes);
    std::memcpy(segment->magic, "VGLSEG\r\n", 8);
    segment->length = (file.size - head_bytes) / 64 * 64;
    bool seen[256] = {};
    for (int k = 0; k < 256; k++) seen[segment->permutation[k]] = true;
    if (!std::all_of(seen, seen + 256, [](bool value) { return value; })) {
        for (int k = 0; k < 256; k++) segment->permutation[k] = static_cast<std::uint8_t>(k);
    }
    segment->head_checksum = head_checksum(*segment);
    const std::uint64_t chain = checksum(&segment->head_checksum, 8, 0);
    for (Commit& commit : head->commits) {
        commit.length = head_bytes + segment->length;
        commit.segments = 1;
        commit.chain = chain;
        commit.checksum = checksum(&commit, 32);
    }
}

// A good small file: random codes in bands of 16 bits, or families in bands of 8.
std::vector<std::uint8_t> good_index(bool families) {
    constexpr std::size_t rows = 200;
    std::vector<std::uint8_t> codes(rows * code_bytes);
    std::vector<std::uint64_t> ids(rows);
    std::uint64_t state = 88172645463325252ULL;
    for (std::uint8_t& byte : codes) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        byte = static_cast<std::uint8_t>(families ? (state >> 56 & state >> 48 & state >> 40 & state >> 32) : state >> 56);
    }
    for (std::size_t k = 0; k < rows; k++) ids[k] = k;
    std::unique_ptr<HammingBuild> build;
    demand(HammingBuild::create(codes.data(), ids.data(), rows, families ? 32 : 16, 1, best_isa(), &build) == Status::ok);
    std::vector<std::uint64_t> room((head_bytes + build->bound()) / 8 + 8, 0);
    auto* bytes = reinterpret_cast<std::uint8_t*>(room.data());
    for (std::size_t step = 0; step < build->steps(); step++) demand(build->run(step, bytes + head_bytes) == Status::ok);
    FileHead head;
    const std::size_t length = head_bytes + build->length();
    demand(hamming_first_commit(bytes, length, &head) == Status::ok);
    std::memcpy(bytes, &head, sizeof(head));
    HammingView view;
    demand(hamming_open(bytes, length, &view) == Status::ok);
    demand(hamming_verify(view, bytes, 1, best_isa()) == Status::ok);
    return {bytes, bytes + length};
}

// A good file, its body damaged at the places that the input names.
void damage_index(const std::uint8_t* data, std::size_t size, unsigned distance) {
    static const std::vector<std::uint8_t> good[2] = {good_index(false), good_index(true)};
    const std::vector<std::uint8_t>& whole = good[size % 2];
    const Aligned file(whole.data(), whole.size());
    const std::size_t room = file.size - 2 * head_bytes;
    for (std::size_t k = 0; k + 5 <= size; k += 5) {
        std::uint32_t at;
        std::memcpy(&at, data + k, 4);
        file.bytes[2 * head_bytes + at % room] = data[k + 4];
    }
    use_index(file, distance);
}

void use_table(Aligned& file) {
    DigestView view;
    for (int turn = 0; turn < 2; turn++) {
        if (digests_open(file.bytes, file.size, &view) == Status::ok) {
            const std::vector<std::uint8_t> query(view.head.width, 0x5a);
            DigestsFound found;
            digests_search(view, query.data(), 1, &found);
            digests_verify(view);
        }
        if (file.size < sizeof(DigestHead)) return;
        auto* head = reinterpret_cast<DigestHead*>(file.bytes);
        std::memcpy(head->magic, "VGLDIG\r\n", 8);
        head->version = 1;
        head->width = head->width % 40 + 1;
        head->rows = head->rows % 64;
        const DigestHead wanted = *head;
        const std::size_t length = digests_length(wanted.rows, wanted.width);
        if (length > file.size) return;
        // The layout follows from rows and width: build it for nothing, to learn the other numbers.
        std::vector<std::uint64_t> plain(length / 8 + 1, 0), ids(wanted.rows + 1, 0);
        std::vector<std::uint8_t> digests(wanted.rows * wanted.width + 1, 0);
        demand(digests_build(digests.data(), ids.data(), wanted.rows, wanted.width, 1, reinterpret_cast<std::uint8_t*>(plain.data())) ==
               Status::ok);
        std::memcpy(file.bytes, plain.data(), sizeof(DigestHead));
        file.size = length;
    }
}

void use_picture(const std::uint8_t* data, std::size_t size) {
    if (size < 4) return;
    const std::size_t height = 1 + data[0] + 3u * (data[1] & 31), width = 1 + data[2] + 3u * (data[3] & 31);
    const auto kind = static_cast<PixelKind>(data[1] >> 5 & 1 ? 2 : data[3] >> 5 & 1);
    const std::size_t pixel_bytes = kind == PixelKind::rgb8 ? 3 : kind == PixelKind::luma8 ? 1 : 4;
    std::vector<std::uint8_t> content(height * width * pixel_bytes);
    for (std::size_t k = 0; k < content.size(); k++) content[k] = size > 4 ? data[4 + k % (size - 4)] : 0;
    const Aligned pixels(content.data(), content.size());
    const Picture picture{pixels.bytes, height, width, static_cast<std::ptrdiff_t>(width * pixel_bytes), kind};
    PdqHash fast{}, slow{}, variants[8];
    const Status first = pdq_hash(picture, PdqOrder::automatic, best_isa(), &fast);
    demand(first == pdq_hash(picture, PdqOrder::automatic, Isa::portable, &slow));
    demand(std::memcmp(&fast, &slow, sizeof(fast)) == 0);
    if (first != Status::ok) return;
    demand(pdq_hash(picture, PdqOrder::reference, best_isa(), &slow) == Status::ok);
    demand(pdq_variants(picture, best_isa(), variants) == Status::ok);
    demand(std::memcmp(&fast, &variants[0], sizeof(fast)) == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const unsigned distance = data[1] % 32;
    Aligned file(data + 2, size - 2);
    switch (data[0] % 5) {
        case 0: use_index(file, distance); break;
        case 1: repair_index(file); use_index(file, distance); break;
        case 2: damage_index(data + 2, size - 2, distance); break;
        case 3: use_table(file); break;
        default: use_picture(data + 2, size - 2);
    }
    return 0;
}

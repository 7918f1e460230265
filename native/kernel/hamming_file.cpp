// The file of a Hamming index: heads, commits and checks.
#include <algorithm>
#include <cstring>
#include <new>

#include "checksum.h"
#include "hamming.h"
#include "parallel.h"

namespace vigil {
namespace {

constexpr std::uint8_t file_magic[8] = {'V', 'G', 'L', 'H', 'A', 'M', '\r', '\n'};
constexpr std::uint8_t segment_magic[8] = {'V', 'G', 'L', 'S', 'E', 'G', '\r', '\n'};
constexpr std::uint32_t file_version = 1;

// Whether `count` pieces of `size` bytes at `at` lie inside the segment, behind its head, aligned for their type.
bool inside(const SegmentHead& head, std::uint64_t at, std::uint64_t count, std::uint64_t size) {
    if (at < head_bytes || at > head.length || at % 8 != 0) return false;
    return count <= (head.length - at) / size;
}

bool band_is_sound(const SegmentHead& head, const BandHead& band, unsigned start) {
    if (band.start != start || band.width < smallest_width || band.width > largest_width) return false;
    if (band.width > code_bits - start) return false;
    const std::uint64_t blocks = (std::uint64_t{1} << band.width) / 32;
    return inside(head, band.blocks_at, blocks, sizeof(Block)) && inside(head, band.postings_at, head.codes, posting_bytes) &&
           band.crowded <= head.codes && inside(head, band.starts_at, band.crowded, 33 * 4);
}

bool bands_are_sound(const SegmentHead& head) {
    if (head.bands == 0) return true;
    if (head.bands < smallest_bands || head.bands > largest_bands) return false;
    unsigned start = 0;
    for (unsigned b = 0; b < head.bands; b++) {
        if (!band_is_sound(head, head.band[b], start)) return false;
        start += head.band[b].width;
    }
    return start == code_bits;
}

bool is_permutation(const std::uint8_t* permutation) {
    bool seen[256] = {};
    for (int k = 0; k < 256; k++) seen[permutation[k]] = true;
    return std::all_of(seen, seen + 256, [](bool value) { return value; });
}

bool codes_are_sound(const SegmentHead& head) {
    if (head.rows > largest_rows || head.codes > head.rows || (head.rows > 0 && head.codes == 0)) return false;
    if (!inside(head, head.codes_at, head.codes, code_bytes) || !inside(head, head.ids_at, head.rows, 8)) return false;
    if (head.firsts_at == 0 ? head.codes != head.rows : !inside(head, head.firsts_at, head.codes + 1, 4)) return false;
    return is_permutation(head.permutation) && bands_are_sound(head);
}

bool segment_is_sound(const SegmentHead& head) {
    if (head.kind == static_cast<std::uint32_t>(SegmentKind::codes)) return codes_are_sound(head);
    if (head.kind != static_cast<std::uint32_t>(SegmentKind::removals)) return false;
    return head.rows <= largest_rows && head.bands == 0 && inside(head, head.ids_at, head.rows, 8);
}

bool is_identity(const std::uint8_t* permutation) {
    for (int k = 0; k < 256; k++) {
        if (permutation[k] != k) return false;
    }
    return true;
}

Status open_segment(const std::uint8_t* base, std::uint64_t room, Segment* segment) {
    if (room < head_bytes) return Status::truncated;
    segment->base = base;
    std::memcpy(&segment->head, base, head_bytes);
    const SegmentHead& head = segment->head;
    if (std::memcmp(head.magic, segment_magic, 8) != 0) return Status::corrupt;
    if (head.head_checksum != head_checksum(head)) return Status::wrong_checksum;
    if (head.length < head_bytes || head.length % 64 != 0 || head.length > room) return Status::corrupt;
    if (!segment_is_sound(head)) return Status::corrupt;
    plan_radii(head, segment->radii);
    if (!is_identity(head.permutation) && head.kind == static_cast<std::uint32_t>(SegmentKind::codes)) {
        segment->spread = spread_of(head.permutation);
    }
    return Status::ok;
}

std::uint64_t chained(std::uint64_t chain, std::uint64_t head_sum) { return checksum(&head_sum, 8, chain); }

std::uint64_t commit_checksum(const Commit& commit) { return checksum(&commit, 32); }

Status check_file_head(const std::uint8_t* data, std::size_t size, FileHead* head) {
    if (size < sizeof(head->magic)) return Status::truncated;
    if (std::memcmp(data, file_magic, 8) != 0) return Status::wrong_magic;
    if (size < sizeof(*head)) return Status::truncated;
    std::memcpy(head, data, sizeof(*head));
    if (head->checksum != checksum(head, 16)) return Status::wrong_checksum;
    if (head->version != file_version || head->bits != code_bits) return Status::wrong_version;
    for (const Commit& commit : head->commits) {
        if (commit.checksum != commit_checksum(commit)) return Status::wrong_checksum;
    }
    return Status::ok;
}

const Commit& newest(const FileHead& head) {
    return head.commits[0].sequence >= head.commits[1].sequence ? head.commits[0] : head.commits[1];
}

Status open_segments(const std::uint8_t* data, const Commit& commit, HammingView* view) {
    if (commit.segments == 0 || commit.segments > largest_segments) return Status::corrupt;
    std::uint64_t at = head_bytes, chain = 0;
    view->segments.resize(commit.segments);
    for (Segment& segment : view->segments) {
        const Status status = open_segment(data + at, commit.length - at, &segment);
        if (status != Status::ok) return status;
        at += segment.head.length;
        chain = chained(chain, segment.head.head_checksum);
        const bool holds_codes = segment.head.kind == static_cast<std::uint32_t>(SegmentKind::codes);
        (holds_codes ? view->rows : view->removed) += segment.head.rows;
    }
    return at == commit.length && chain == commit.chain ? Status::ok : Status::corrupt;
}

Status open_checked(const std::uint8_t* data, std::size_t size, HammingView* view) {
    FileHead head;
    Status status = check_file_head(data, size, &head);
    if (status != Status::ok) return status;
    const Commit& commit = newest(head);
    if (commit.length < head_bytes || commit.length % 64 != 0) return Status::corrupt;
    if (commit.length > size) return Status::truncated;
    *view = HammingView{};
    view->sequence = commit.sequence;
    view->length = commit.length;
    status = open_segments(data, commit, view);
    if (status != Status::ok) view->segments.clear();
    return status;
}

Commit commit_of(std::uint64_t sequence, std::uint64_t length, std::uint64_t segments, std::uint64_t chain) {
    Commit commit{};
    commit.sequence = sequence;
    commit.length = length;
    commit.segments = segments;
    commit.chain = chain;
    commit.checksum = commit_checksum(commit);
    return commit;
}

// ---- the whole truth -----------------------------------------------------------------------------------------

bool all_zero(const std::uint8_t* bytes, std::size_t count) {
    return std::all_of(bytes, bytes + count, [](std::uint8_t byte) { return byte == 0; });
}

Status verify_padding(const std::uint8_t* data) {
    FileHead head;
    std::memcpy(&head, data, sizeof(head));
    const bool clean = all_zero(head.rest, sizeof(head.rest)) && all_zero(head.tail, sizeof(head.tail)) &&
                       all_zero(head.commits[0].rest, sizeof(head.commits[0].rest)) &&
                       all_zero(head.commits[1].rest, sizeof(head.commits[1].rest));
    return clean ? Status::ok : Status::corrupt;
}

Status verify_order(const Segment& segment) {
    const SegmentHead& head = segment.head;
    const auto* codes = reinterpret_cast<const std::uint64_t*>(segment.base + head.codes_at);
    for (std::uint64_t u = 1; u < head.codes; u++) {
        const std::uint64_t* before = codes + 4 * (u - 1);
        if (!std::lexicographical_compare(before, before + 4, before + 4, before + 8)) return Status::corrupt;
    }
    if (head.firsts_at == 0) return Status::ok;
    const auto* firsts = reinterpret_cast<const std::uint32_t*>(segment.base + head.firsts_at);
    if (firsts[0] != 0 || firsts[head.codes] != head.rows) return Status::corrupt;
    for (std::uint64_t u = 0; u < head.codes; u++) {
        if (firsts[u] >= firsts[u + 1]) return Status::corrupt;
    }
    return Status::ok;
}

Status verify_removals(const Segment& segment) {
    const auto* ids = reinterpret_cast<const std::uint64_t*>(segment.base + segment.head.ids_at);
    for (std::uint64_t k = 1; k < segment.head.rows; k++) {
        if (ids[k - 1] >= ids[k]) return Status::corrupt;
    }
    return Status::ok;
}

Status verify_segment(const Segment& segment, unsigned threads, Isa isa) {
    const SegmentHead& head = segment.head;
    if (std::memcmp(segment.base, &head, head_bytes) != 0) return Status::corrupt;
    if (checksum(segment.base + head_bytes, head.length - head_bytes) != head.body_checksum) return Status::wrong_checksum;
    if (head.kind == static_cast<std::uint32_t>(SegmentKind::removals)) return verify_removals(segment);
    const Status status = verify_order(segment);
    if (status != Status::ok) return status;
    return share_out(head.bands, threads, [&](unsigned, std::size_t band) {
        return segment_reach(segment.base, head, static_cast<unsigned>(band), isa);
    });
}

}  // namespace

// ---- bits in the order of the bands --------------------------------------------------------------------------

std::vector<std::uint64_t> spread_of(const std::uint8_t permutation[256]) {
    std::uint8_t place[256];
    for (int k = 0; k < 256; k++) place[permutation[k]] = static_cast<std::uint8_t>(k);
    std::vector<std::uint64_t> spread(64 * 16 * 4, 0);
    for (unsigned nibble = 0; nibble < 64; nibble++) {
        for (unsigned value = 0; value < 16; value++) {
            for (unsigned bit = 0; bit < 4; bit++) {
                const unsigned to = place[4 * nibble + bit];
                if (value >> bit & 1) spread[(nibble * 16 + value) * 4 + to / 64] |= std::uint64_t{1} << (to % 64);
            }
        }
    }
    return spread;
}

void spread_code(const std::vector<std::uint64_t>& spread, const std::uint8_t* code, std::uint64_t words[4]) {
    if (spread.empty()) {
        std::memcpy(words, code, code_bytes);
        return;
    }
    std::uint64_t sums[4] = {};
    for (unsigned byte = 0; byte < code_bytes; byte++) {
        const std::uint64_t* low = &spread[(byte * 32 + (code[byte] & 15)) * 4];
        const std::uint64_t* high = &spread[(byte * 32 + 16 + (code[byte] >> 4)) * 4];
        for (int k = 0; k < 4; k++) sums[k] |= low[k] | high[k];
    }
    std::memcpy(words, sums, sizeof(sums));
}

std::uint64_t head_checksum(const SegmentHead& head) {
    SegmentHead copy = head;
    copy.head_checksum = 0;
    return checksum(&copy, sizeof(copy));
}

// ---- doors ---------------------------------------------------------------------------------------------------

Status hamming_open(const std::uint8_t* data, std::size_t size, HammingView* view) {
    static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the file is read in place");
    if (data == nullptr || reinterpret_cast<std::uintptr_t>(data) % 8 != 0) return Status::bad_argument;
    try {
        return open_checked(data, size, view);
    } catch (const std::bad_alloc&) {
        return Status::out_of_memory;
    }
}

Status hamming_verify(const HammingView& view, const std::uint8_t* data, unsigned threads, Isa isa) {
    Status status = verify_padding(data);
    for (std::size_t s = 0; s < view.segments.size() && status == Status::ok; s++) {
        status = verify_segment(view.segments[s], threads, isa);
    }
    return status;
}

std::size_t removals_length(std::size_t count) { return (head_bytes + 8 * count + 63) / 64 * 64; }

void write_removals(const std::uint64_t* sorted_ids, std::size_t count, std::uint8_t* segment) {
    SegmentHead head{};
    std::memcpy(head.magic, segment_magic, 8);
    head.kind = static_cast<std::uint32_t>(SegmentKind::removals);
    head.length = removals_length(count);
    head.rows = count;
    head.ids_at = head_bytes;
    std::memcpy(segment + head_bytes, sorted_ids, 8 * count);
    head.body_checksum = checksum(segment + head_bytes, head.length - head_bytes);
    head.head_checksum = head_checksum(head);
    std::memcpy(segment, &head, sizeof(head));
}

Status hamming_first_commit(const std::uint8_t* file, std::size_t length, FileHead* out) {
    Segment segment;
    const Status status = open_segment(file + head_bytes, length - head_bytes, &segment);
    if (status != Status::ok) return status;
    FileHead head{};
    std::memcpy(head.magic, file_magic, 8);
    head.version = file_version;
    head.bits = code_bits;
    head.checksum = checksum(&head, 16);
    const std::uint64_t chain = chained(0, segment.head.head_checksum);
    head.commits[0] = commit_of(1, length, 1, chain);
    head.commits[1] = commit_of(0, length, 1, chain);
    std::memcpy(out, &head, sizeof(head));
    return Status::ok;
}

Status hamming_next_commit(const HammingView& view, const std::uint8_t* data, std::uint64_t segment_length, Commit* commit,
                           std::size_t* at) {
    if (view.segments.size() >= largest_segments) return Status::too_large;
    Segment added;
    const Status status = open_segment(data, segment_length, &added);
    if (status != Status::ok) return status;
    std::uint64_t chain = 0;
    for (const Segment& segment : view.segments) chain = chained(chain, segment.head.head_checksum);
    chain = chained(chain, added.head.head_checksum);
    const std::uint64_t sequence = view.sequence + 1;
    *commit = commit_of(sequence, view.length + added.head.length, view.segments.size() + 1, chain);
    // Sequence 1 stands in slot 0 and each commit takes the slot of the one before the last.
    *at = 1024 + sizeof(Commit) * ((sequence + 1) % 2);
    return Status::ok;
}

}  // namespace vigil

// Exact search for 256-bit codes within a Hamming distance of at most 31: a multi-index on the pigeonhole principle.
//
// The 256 bits are cut into bands. Each band b gets a radius r(b) such that the sum of (r(b) + 1) exceeds the wanted
// distance D. A code at distance D or less differs in at most r(b) bits from the query in at least one band b;
// otherwise the differences would add up to more than D. So looking, in every band, at all keys within r(b) of the
// query's key meets every such code.
//
// More is true: walking round the bands from one of them, the differences met so far stay below the sum of
// (r(b) + 1) met so far, at every step (the cycle lemma). So a posting carries up to 16 bits of the following band, and
// a code is fetched only if the differences in the band and in those bits are few enough together. That excludes 99
// of 100 codes unseen, and never a wanted one. docs/spec/index-format.md describes the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "cpu.h"
#include "status.h"

namespace vigil {

constexpr std::size_t code_bytes = 32;
constexpr unsigned code_bits = 256;
constexpr unsigned largest_distance = 31;
constexpr unsigned largest_bands = 32;
constexpr unsigned smallest_bands = 10;  // with fewer, bands would be wider than largest_width
constexpr unsigned largest_width = 28;
constexpr unsigned smallest_width = 5;
constexpr unsigned largest_radius = 3;
constexpr std::size_t largest_rows = (std::size_t{1} << 31) - 1;  // rows of a segment; the top bit of a posting is a mark
constexpr std::size_t largest_segments = 4096;
constexpr std::size_t head_bytes = 4096;  // of a file and of each segment

enum class SegmentKind : std::uint32_t { codes = 1, removals = 2 };

// ---- the file, as it lies on disk; little-endian ----

struct BandHead {
    std::uint32_t start, width;     // bits start .. start + width - 1 of a stored code
    std::uint64_t blocks_at;        // 2^width / 32 blocks
    std::uint64_t postings_at;      // one for each code, posting_bytes each
    std::uint64_t starts_at;        // `crowded` times 33 starts, for blocks of more than 64 postings
    std::uint64_t crowded;
    std::uint64_t load;             // mean number of codes in the bucket of a stored code, in 1/1024
    std::uint64_t reserved[2];
};
static_assert(sizeof(BandHead) == 64, "layout");

struct SegmentHead {
    std::uint8_t magic[8];
    std::uint32_t kind, bands;
    std::uint64_t length;      // bytes, this head included; a multiple of 64
    std::uint64_t rows;        // ids
    std::uint64_t codes;       // distinct codes
    std::uint64_t codes_at, firsts_at, ids_at;  // firsts_at is 0 where each code has one id
    std::uint64_t body_checksum;
    std::uint64_t reserved[22];
    std::uint64_t head_checksum;  // of the head with this field as zero
    std::uint8_t permutation[256];  // stored bit k is bit permutation[k] of the code as handed in
    BandHead band[largest_bands];
    std::uint8_t rest[head_bytes - 512 - largest_bands * sizeof(BandHead)];
};
static_assert(sizeof(SegmentHead) == head_bytes, "layout");

// A posting: the number of a code (31 bits, the top bit marks the last of a bucket) and the first bits of its key in
// the following band, round the corner from the last band to the first.
constexpr std::size_t posting_bytes = 6;
constexpr unsigned hint_bits = 16;

struct Block {
    std::uint32_t occupied;  // which of 32 buckets hold a posting
    std::uint32_t base;      // number of the first posting; with the top bit set, number of an entry of `starts`
};

struct Commit {
    std::uint64_t sequence, length, segments, chain;  // chain: checksum over the segments' head checksums
    std::uint64_t checksum;                           // of the 32 bytes before
    std::uint8_t rest[512 - 40];
};
static_assert(sizeof(Commit) == 512, "layout: a commit is one sector");

struct FileHead {
    std::uint8_t magic[8];
    std::uint32_t version, bits;
    std::uint64_t checksum;  // of the 16 bytes before
    std::uint8_t rest[1024 - 24];
    Commit commits[2];
    std::uint8_t tail[head_bytes - 2048];
};
static_assert(sizeof(FileHead) == head_bytes, "layout");

// ---- reading ----

// Radius of each band for each distance; -1 where a band is not asked.
using Radii = std::int8_t[largest_distance + 1][largest_bands];

struct Segment {
    const std::uint8_t* base = nullptr;
    Radii radii;
    SegmentHead head;                  // a checked copy: the file may change under us, this does not
    std::vector<std::uint64_t> spread; // 64 nibbles x 16 values x 4 words; empty where bits stay in their places
};

struct HammingView {
    std::vector<Segment> segments;
    std::uint64_t sequence = 0, length = 0, rows = 0, removed = 0;
};

// Checks heads and sizes only, so it takes the same time for any number of codes. `data` must be aligned to 8 bytes
// and outlive the view.
Status hamming_open(const std::uint8_t* data, std::size_t size, HammingView* view);

// Reads everything: checksums, order, padding, and that each stored code is found through every band.
Status hamming_verify(const HammingView& view, const std::uint8_t* data, unsigned threads, Isa isa);

struct HammingFound {
    std::vector<std::int64_t> offsets;  // queries + 1
    std::vector<std::uint64_t> ids;
    std::vector<std::uint8_t> distances;
};

// Hits of each query sorted by distance, then id. Safe on any bytes behind the heads; nonsense there is `corrupt`.
Status hamming_search(const HammingView& view, const std::uint8_t* queries, std::size_t count, unsigned max_distance,
                      unsigned threads, Isa isa, HammingFound* found);

// Codes as they were handed in, with their ids, save those removed since: what a rebuild starts from.
Status hamming_export(const HammingView& view, std::vector<std::uint8_t>* codes, std::vector<std::uint64_t>* ids);

// ---- writing ----

class HammingBuild {
public:
    // bands < 0: chosen by size; 0: none, compare with every code; else 10 to 32.
    static Status create(const std::uint8_t* codes, const std::uint64_t* ids, std::size_t rows, int bands, unsigned threads,
                         Isa isa, std::unique_ptr<HammingBuild>* build);
    std::size_t steps() const;
    std::size_t bound() const { return bound_; }     // bytes the segment may need
    std::size_t length() const { return head_.length; }
    Status run(std::size_t step, std::uint8_t* segment);  // steps in order; `segment` is zeroed and aligned to 8

private:
    HammingBuild() = default;
    Status prepare(int bands);
    void choose_bits(int bands);
    void lay_out();
    Status write_rows(std::uint8_t* segment);
    Status write_band(std::uint8_t* segment, unsigned band);
    Status write_starts(std::uint8_t* segment);
    Status check_reach(const std::uint8_t* segment);
    Status seal(std::uint8_t* segment);

    const std::uint8_t* input_ = nullptr;
    const std::uint64_t* ids_ = nullptr;
    std::size_t rows_ = 0, bound_ = 0;
    unsigned threads_ = 1;
    Isa isa_ = Isa::portable;
    SegmentHead head_{};
    std::vector<std::uint32_t> order_;   // rows in the order of their codes
    std::vector<std::uint32_t> firsts_;  // for each distinct code, its first place in order_
    std::vector<std::uint64_t> spread_;
    std::vector<std::vector<std::uint32_t>> starts_;
};

// A segment of removed ids: everything stored before it under these ids is gone.
std::size_t removals_length(std::size_t count);
void write_removals(const std::uint64_t* sorted_ids, std::size_t count, std::uint8_t* segment);

// The head of a new file with one segment; the commit that adds a segment, and where it goes.
Status hamming_first_commit(const std::uint8_t* file, std::size_t length, FileHead* head);
Status hamming_next_commit(const HammingView& view, const std::uint8_t* segment, std::uint64_t segment_length, Commit* commit,
                           std::size_t* at);

// ---- shared by the parts of the kernel ----

std::vector<std::uint64_t> spread_of(const std::uint8_t permutation[256]);
void spread_code(const std::vector<std::uint64_t>& spread, const std::uint8_t* code, std::uint64_t words[4]);
std::uint64_t head_checksum(const SegmentHead& head);
Status segment_reach(const std::uint8_t* base, const SegmentHead& head, unsigned band, Isa isa);

VIGIL_INLINE std::uint32_t band_key(const std::uint64_t words[4], unsigned start, unsigned width) {
    const unsigned word = start >> 6, shift = start & 63;
    std::uint64_t bits = words[word] >> shift;
    if (shift + width > 64) bits |= words[word + 1] << (64 - shift);
    return static_cast<std::uint32_t>(bits & ((std::uint64_t{1} << width) - 1));
}

// The bits of the following band that postings of band b carry: where they start, and how many.
struct HintPlace {
    unsigned start, width;
    HintPlace(const SegmentHead& head, unsigned b) {
        const BandHead& next = head.band[b + 1 < head.bands ? b + 1 : 0];
        start = next.start;
        width = next.width < hint_bits ? next.width : hint_bits;
    }
};

// What work costs, in nanoseconds, roughly: good enough to choose between layouts and between radii.
struct CostModel {
    double line, far_line;  // a cache line of the blocks, of the postings
    CostModel(std::size_t codes, unsigned bands, double table_bytes);
    // Looking at all keys that differ from one of `width` bits in exactly `bits`, with `load` codes a bucket.
    double probes(unsigned width, unsigned bits, double load) const;
};
double choose(unsigned n, unsigned k);
void plan_radii(const SegmentHead& head, Radii& radii);

}  // namespace vigil

// Searching a Hamming index. Every number read from behind the heads is checked before it is used as a place.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>
#include <new>

#include "hamming.h"
#include "parallel.h"
#include "worktable.h"

#if defined(VIGIL_X86)
#include <immintrin.h>
#endif
#if defined(VIGIL_NEON)
#include <arm_neon.h>
#endif

namespace vigil {

double choose(unsigned n, unsigned k) {
    double result = 1;
    for (unsigned i = 0; i < k; i++) result = result * (n - i) / (i + 1);
    return result;
}

namespace {

// A far read among `bytes`, with several under way at once: what a look at random places of such a table costs.
double far_read(double bytes) { return bytes < 0.7e6 ? 2.0 : bytes < 5e6 ? 5.0 : bytes < 10e6 ? 9.0 : bytes < 64e6 ? 12.5 : 15.0; }

constexpr unsigned line_bits = 8;  // buckets whose blocks share a cache line: 2^8
static_assert((32u << 6) / sizeof(Block) == 1u << line_bits, "a line of 64 bytes");

}  // namespace

CostModel::CostModel(std::size_t codes, unsigned bands, double table_bytes)
    : line(far_read(table_bytes)), far_line(far_read(static_cast<double>(codes * bands * posting_bytes))) {}

double CostModel::probes(unsigned width, unsigned bits, double load) const {
    const double probes = choose(width, bits), lines = choose(width > line_bits ? width - line_bits : 0, bits);
    const double filled = 1 - std::exp(-load), more_lines = load * static_cast<double>(posting_bytes) / 64;
    const double starts = load > 1.8 ? far_line : 0;  // crowded blocks are one look further away
    return probes * (8 + filled * (far_line + 6) + starts + more_lines * far_line / 3 + load * 0.8) + lines * line * 6;
}

namespace {

constexpr std::uint32_t mark = 0x80000000u;  // in a posting: last of its bucket; in a block: crowded

// ---- ways to do the inner steps ------------------------------------------------------------------------------

struct Portable {
    static VIGIL_INLINE unsigned count(std::uint64_t word) { return static_cast<unsigned>(__builtin_popcountll(word)); }
    static VIGIL_INLINE unsigned distance(const std::uint64_t* a, const std::uint64_t* b, unsigned limit) {
        const unsigned half = count(a[0] ^ b[0]) + count(a[1] ^ b[1]);
        return half > limit ? half : half + count(a[2] ^ b[2]) + count(a[3] ^ b[3]);
    }
    // A bit for each of five postings that is the last of its bucket. May read 32 bytes.
    static VIGIL_INLINE std::uint64_t last_of_five(const std::uint8_t* postings) {
        std::uint64_t ends = 0;
        for (unsigned k = 0; k < 5; k++) ends |= static_cast<std::uint64_t>(postings[posting_bytes * k + 3] >> 7) << k;
        return ends;
    }
};

#if defined(VIGIL_X86)
struct Avx2 : Portable {
    VIGIL_TARGET_AVX2 static inline std::uint64_t last_of_five(const std::uint8_t* postings) {
        const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(postings));
        const auto tops = static_cast<std::uint32_t>(_mm256_movemask_epi8(bytes));
        // Bits 3, 9, 15, 21, 27 of the mask, moved side by side by one multiplication in which nothing collides.
        const std::uint64_t apart = tops >> 3 & 0x01041041u;
        return apart * ((1u << 24) | (1u << 19) | (1u << 14) | (1u << 9) | (1u << 4)) >> 24 & 31;
    }
};
#endif

#if defined(VIGIL_NEON)
struct Neon : Portable {
    static VIGIL_INLINE unsigned distance(const std::uint64_t* a, const std::uint64_t* b, unsigned) {
        const uint8x16_t low = veorq_u8(vreinterpretq_u8_u64(vld1q_u64(a)), vreinterpretq_u8_u64(vld1q_u64(b)));
        const uint8x16_t high = veorq_u8(vreinterpretq_u8_u64(vld1q_u64(a + 2)), vreinterpretq_u8_u64(vld1q_u64(b + 2)));
        return vaddlvq_u8(vaddq_u8(vcntq_u8(low), vcntq_u8(high)));
    }
};
#endif

// ---- a bucket ------------------------------------------------------------------------------------------------

struct BandView {
    const Block* blocks;
    const std::uint8_t* postings;
    const std::uint32_t* starts;
    std::uint64_t crowded, codes;
    BandView(const std::uint8_t* base, const SegmentHead& head, unsigned b)
        : blocks(reinterpret_cast<const Block*>(base + head.band[b].blocks_at)),
          postings(base + head.band[b].postings_at),
          starts(reinterpret_cast<const std::uint32_t*>(base + head.band[b].starts_at)), crowded(head.band[b].crowded),
          codes(head.codes) {}

    VIGIL_INLINE std::uint32_t posting(std::uint64_t place) const {
        std::uint32_t value;
        std::memcpy(&value, postings + posting_bytes * place, 4);
        return value;
    }
    VIGIL_INLINE std::uint32_t code(std::uint64_t place) const { return posting(place) & ~mark; }
    VIGIL_INLINE std::uint16_t hint(std::uint64_t place) const {
        std::uint16_t value;
        std::memcpy(&value, postings + posting_bytes * place + 4, 2);
        return value;
    }
};

struct Bucket {
    std::uint32_t base, bit, rank;  // as found in its block; rank: buckets of the block before it
    std::uint32_t apart;            // bits in which its key differs from the query's
};

struct Range {
    std::uint32_t begin, end;
};

struct Found {
    Range range;
    std::uint32_t apart;
};

VIGIL_INLINE unsigned place_of_bit(std::uint64_t ends, unsigned rank) {
    for (unsigned k = 0; k < rank; k++) ends &= ends - 1;
    return static_cast<unsigned>(__builtin_ctzll(ends));
}

// The postings of a bucket that is known to hold some; false where the file contradicts itself.
template <typename Way>
VIGIL_INLINE bool range_of(const BandView& band, const Bucket& bucket, Range* range) {
    if (bucket.base & mark) {
        const std::uint32_t entry = bucket.base & ~mark;
        if (entry >= band.crowded) return false;
        const std::uint32_t* starts = band.starts + std::size_t{33} * entry + bucket.bit;
        *range = Range{starts[0], starts[1]};
        return range->begin < range->end && range->end <= band.codes;
    }
    if (bucket.base >= band.codes) return false;
    const std::uint8_t* postings = band.postings + posting_bytes * bucket.base;
    const std::uint64_t left = std::min<std::uint64_t>(64, band.codes - bucket.base);
    std::uint64_t ends = 0;
    unsigned seen = 0;
    while (seen + 6 <= left && Way::count(ends) <= bucket.rank) {
        ends |= Way::last_of_five(postings + posting_bytes * seen) << seen;
        seen += 5;
    }
    for (; seen < left && Way::count(ends) <= bucket.rank; seen++) {
        ends |= static_cast<std::uint64_t>(postings[posting_bytes * seen + 3] >> 7) << seen;
    }
    if (Way::count(ends) <= bucket.rank) return false;
    const unsigned last = place_of_bit(ends, bucket.rank);
    const std::uint64_t before = ends & ((std::uint64_t{1} << last) - 1);
    const unsigned first = bucket.rank == 0 ? 0 : 64u - static_cast<unsigned>(__builtin_clzll(before));
    *range = Range{bucket.base + first, bucket.base + last + 1};
    return true;
}

// ---- keys near a key -----------------------------------------------------------------------------------------

constexpr std::uint32_t buckets_a_line = 32 * 64 / sizeof(Block);  // buckets whose blocks share a cache line

struct Masks {
    std::vector<std::uint32_t> flips;  // ascending, so that keys of one cache line follow each other
    std::vector<std::uint32_t> lines;  // one of each cache line
};

void add_flips(unsigned width, unsigned bits, unsigned from, std::uint32_t flips, std::vector<std::uint32_t>* out) {
    if (bits == 0) {
        out->push_back(flips);
        return;
    }
    for (unsigned bit = from; bit + bits <= width; bit++) add_flips(width, bits - 1, bit + 1, flips | 1u << bit, out);
}

Masks make_masks(unsigned width, unsigned radius) {
    Masks masks;
    for (unsigned bits = 0; bits <= radius; bits++) add_flips(width, bits, 0, 0, &masks.flips);
    std::sort(masks.flips.begin(), masks.flips.end());
    for (const std::uint32_t flips : masks.flips) {
        if (masks.lines.empty() || masks.lines.back() / buckets_a_line != flips / buckets_a_line) masks.lines.push_back(flips);
    }
    return masks;
}

const Masks& masks_of(unsigned width, unsigned radius) {
    static Masks all[largest_width + 1][largest_radius + 1];
    static std::once_flag made[largest_width + 1][largest_radius + 1];
    std::call_once(made[width][radius], [width, radius] { all[width][radius] = make_masks(width, radius); });
    return all[width][radius];
}

// ---- the plan for one distance -------------------------------------------------------------------------------

struct Plan {
    int radius[largest_bands];
    unsigned order[largest_bands], asked = 0;
    const Masks* masks[largest_bands];

    Plan(const Segment& segment, unsigned distance) {
        for (unsigned b = 0; b < segment.head.bands; b++) {
            radius[b] = segment.radii[distance][b];
            if (radius[b] < 0) continue;
            masks[b] = &masks_of(segment.head.band[b].width, static_cast<unsigned>(radius[b]));
            order[asked++] = b;
        }
    }
};

// What one more step of radius costs in a band.
double step_price(const SegmentHead& head, const CostModel& cost, unsigned b, unsigned radius) {
    if (radius > largest_radius) return HUGE_VAL;
    // The bucket of a stored code holds that code itself; what a stranger's bucket holds is that much less.
    const double load = std::max(0.0, static_cast<double>(head.band[b].load) / 1024 - 1);
    return cost.probes(head.band[b].width, radius, load);
}

// ---- one query in one segment --------------------------------------------------------------------------------

struct Near {
    std::uint32_t code;
    std::uint8_t distance;
};

struct Scratch {
    std::vector<std::uint32_t> candidates[2];
    std::vector<Bucket> buckets[2];
    std::vector<Found> ranges[2];
    std::size_t used[2], ready[2], listed[2];
    std::vector<Near> near;
    std::vector<std::uint64_t> seen;     // a bit for each code: listed already; all zero between queries
    std::vector<std::uint32_t> visited;  // the codes whose bits are set
};

VIGIL_INLINE void fetch(const void* base, std::uint64_t offset) {
    __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(base) + offset), 0, 3);
}

template <typename Way>
struct Search {
    const Segment& segment;
    const SegmentHead& head;
    const Plan& plan;
    const std::uint64_t* query;
    const unsigned limit;
    Scratch& scratch;
    const std::uint64_t* codes;
    std::uint64_t budget;  // postings after which comparing with every code is cheaper

    VIGIL_INLINE Search(const Segment& s, const Plan& p, const std::uint64_t* q, unsigned distance, Scratch& work)
        : segment(s), head(s.head), plan(p), query(q), limit(distance), scratch(work),
          codes(reinterpret_cast<const std::uint64_t*>(s.base + s.head.codes_at)), budget(s.head.codes + 64) {}

    VIGIL_INLINE void fetch_blocks(unsigned turn) {
        const unsigned b = plan.order[turn];
        const BandHead& band = head.band[b];
        const std::uint32_t own = band_key(query, band.start, band.width);
        const std::uint8_t* blocks = segment.base + band.blocks_at;
        for (const std::uint32_t flips : plan.masks[b]->lines) fetch(blocks, std::uint64_t{(own ^ flips) >> 5} * sizeof(Block));
    }

    VIGIL_INLINE void list_buckets(unsigned turn) {
        const unsigned b = plan.order[turn];
        const BandView band(segment.base, head, b);
        const std::uint32_t own = band_key(query, head.band[b].start, head.band[b].width);
        std::vector<Bucket>& buckets = scratch.buckets[turn % 2];
        if (buckets.size() <= plan.masks[b]->flips.size()) buckets.resize(plan.masks[b]->flips.size() + 1);
        std::size_t count = 0;
        for (const std::uint32_t flips : plan.masks[b]->flips) {  // no branch: whether a bucket holds anything is a coin toss
            const std::uint32_t key = own ^ flips;
            const Block block = band.blocks[key >> 5];
            const std::uint32_t bit = key & 31;
            buckets[count] = Bucket{block.base, bit, Way::count(block.occupied & ((1u << bit) - 1)), Way::count(flips)};
            count += block.occupied >> bit & 1;
        }
        scratch.used[turn % 2] = count;
        for (std::size_t k = 0; k < count; k++) {
            const Bucket& bucket = buckets[k];
            if (bucket.base & mark) {
                fetch(band.starts, std::uint64_t{bucket.base & ~mark} * 132 + bucket.bit * 4);
            } else {
                fetch(band.postings, std::uint64_t{bucket.base} * posting_bytes);
                fetch(band.postings, (std::uint64_t{bucket.base} + bucket.rank) * posting_bytes + 16);
            }
        }
    }

    // The postings of each bucket; false where the file contradicts itself or the budget is used up (then budget is 0).
    VIGIL_INLINE bool list_ranges(unsigned turn) {
        const BandView band(segment.base, head, plan.order[turn]);
        const std::vector<Bucket>& buckets = scratch.buckets[turn % 2];
        std::vector<Found>& ranges = scratch.ranges[turn % 2];
        const std::size_t count = scratch.used[turn % 2];
        if (ranges.size() < count) ranges.resize(buckets.size());
        for (std::size_t k = 0; k < count; k++) {
            Range range;
            if (!range_of<Way>(band, buckets[k], &range)) return false;
            const std::uint64_t size = range.end - range.begin;
            if (size > budget) {
                budget = 0;
                return false;
            }
            budget -= size;
            ranges[k] = Found{range, buckets[k].apart};
            if (buckets[k].base & mark) fetch_postings(band, range);
        }
        scratch.ready[turn % 2] = count;
        return true;
    }

    // The first lines of a range; the processor itself runs on along a long one.
    VIGIL_INLINE void fetch_postings(const BandView& band, const Range& range) const {
        const std::uint64_t from = posting_bytes * range.begin, to = posting_bytes * range.end;
        for (std::uint64_t at = from; at < to && at < from + 1024; at += 64) fetch(band.postings, at);
        fetch(band.postings, to - 1);
    }

    // Differences allowed in band b and the hint of the band after it, together.
    VIGIL_INLINE unsigned allowed(unsigned b) const {
        const unsigned next = b + 1 < head.bands ? b + 1 : 0;
        return static_cast<unsigned>(plan.radius[b] + plan.radius[next] + 1);
    }

    // False where the file contradicts itself.
    VIGIL_INLINE bool list_candidates(unsigned turn) {
        const unsigned b = plan.order[turn];
        const BandView band(segment.base, head, b);
        const HintPlace place_of_hint(head, b);
        const std::uint32_t own = band_key(query, place_of_hint.start, place_of_hint.width);
        const unsigned limit_of_both = allowed(b);
        std::vector<std::uint32_t>& candidates = scratch.candidates[turn % 2];
        std::size_t count = 0;
        for (std::size_t k = 0; k < scratch.ready[turn % 2]; k++) {
            const Found& found = scratch.ranges[turn % 2][k];
            const Range range = found.range;
            const std::size_t size = range.end - range.begin;
            if (candidates.size() < count + size) candidates.resize(2 * (count + size));
            std::uint32_t* out = candidates.data();
            for (std::uint32_t place = range.begin; place < range.end; place++) {
                out[count] = band.code(place);
                count += found.apart + Way::count(static_cast<std::uint32_t>(band.hint(place)) ^ own) <= limit_of_both;
            }
        }
        return keep_new(candidates, count, &scratch.listed[turn % 2]);
    }

    // Keeps the codes that no earlier band has listed; false where there is no such code.
    VIGIL_INLINE bool keep_new(std::vector<std::uint32_t>& candidates, std::size_t count, std::size_t* kept) {
        std::size_t fresh = 0;
        for (std::size_t k = 0; k < count; k++) {
            const std::uint32_t number = candidates[k];
            if (number >= head.codes) return false;
            std::uint64_t& word = scratch.seen[number / 64];
            const std::uint64_t bit = std::uint64_t{1} << (number % 64);
            if (word & bit) continue;
            scratch.visited.push_back(number);
            word |= bit;
            candidates[fresh++] = number;
            fetch(codes, std::uint64_t{number} * code_bytes);
        }
        *kept = fresh;
        return true;
    }

    // Whatever ends a search, the next one starts from zeros: a stale bit would hide a code.
    struct Forget {
        Scratch& scratch;
        ~Forget() {
            for (const std::uint32_t number : scratch.visited) scratch.seen[number / 64] = 0;
            scratch.visited.clear();
        }
    };

    VIGIL_INLINE void compare(unsigned turn) {
        for (std::size_t k = 0; k < scratch.listed[turn % 2]; k++) {
            const std::uint32_t number = scratch.candidates[turn % 2][k];
            const std::uint64_t* code = codes + std::size_t{4} * number;
            const unsigned distance = Way::distance(code, query, limit);
            if (distance <= limit) {
                scratch.near.push_back(Near{number, static_cast<std::uint8_t>(distance)});
            }
        }
    }

    VIGIL_INLINE void compare_all() {
        scratch.near.clear();
        for (std::uint64_t number = 0; number < head.codes; number++) {
            const unsigned distance = Way::distance(codes + 4 * number, query, limit);
            if (distance <= limit) {
                scratch.near.push_back(Near{static_cast<std::uint32_t>(number), static_cast<std::uint8_t>(distance)});
            }
        }
    }

    // Five steps, a band or two apart, so that memory asked for in one has come when the next needs it.
    VIGIL_INLINE Status run() {
        scratch.near.clear();
        if (head.bands == 0) {
            compare_all();
            return Status::ok;
        }
        if (scratch.seen.size() < head.codes / 64 + 1) scratch.seen.resize(head.codes / 64 + 1);
        const Forget at_the_end{scratch};
        return run_bands();
    }

    VIGIL_INLINE Status run_bands() {
        for (unsigned turn = 0; turn < plan.asked + 5; turn++) {
            if (turn < plan.asked) fetch_blocks(turn);
            if (turn >= 5) compare(turn - 5);
            if (turn >= 4 && turn - 4 < plan.asked && !list_candidates(turn - 4)) return Status::corrupt;
            if (turn >= 3 && turn - 3 < plan.asked && !list_ranges(turn - 3)) {
                if (budget != 0) return Status::corrupt;
                compare_all();
                return Status::ok;
            }
            if (turn >= 2 && turn - 2 < plan.asked) list_buckets(turn - 2);
        }
        return Status::ok;
    }
};

Status search_portable(const Segment& segment, const Plan& plan, const std::uint64_t* query, unsigned distance, Scratch& scratch) {
    return Search<Portable>(segment, plan, query, distance, scratch).run();
}

#if defined(VIGIL_X86)
VIGIL_TARGET_AVX2 Status search_avx2(const Segment& segment, const Plan& plan, const std::uint64_t* query, unsigned distance,
                                     Scratch& scratch) {
    return Search<Avx2>(segment, plan, query, distance, scratch).run();
}
#endif
#if defined(VIGIL_NEON)
Status search_neon(const Segment& segment, const Plan& plan, const std::uint64_t* query, unsigned distance, Scratch& scratch) {
    return Search<Neon>(segment, plan, query, distance, scratch).run();
}
#endif

Status search_segment(const Segment& segment, const Plan& plan, const std::uint64_t* query, unsigned distance, Isa isa,
                      Scratch& scratch) {
#if defined(VIGIL_X86)
    if (isa == Isa::avx2) return search_avx2(segment, plan, query, distance, scratch);
#endif
#if defined(VIGIL_NEON)
    if (isa == Isa::neon) return search_neon(segment, plan, query, distance, scratch);
#endif
    (void)isa;
    return search_portable(segment, plan, query, distance, scratch);
}

// ---- all queries in all segments -----------------------------------------------------------------------------

struct Hit {
    std::uint64_t id;
    std::uint8_t distance;
};

struct Piece {
    std::vector<std::size_t> counts;
    std::vector<Hit> hits;
};

constexpr std::size_t piece_queries = 16;

bool holds_codes(const Segment& segment) { return segment.head.kind == static_cast<std::uint32_t>(SegmentKind::codes); }

// Whether a later segment removes `id`.
bool removed_after(const HammingView& view, std::size_t number, std::uint64_t id) {
    for (std::size_t s = number + 1; s < view.segments.size(); s++) {
        const Segment& segment = view.segments[s];
        if (holds_codes(segment)) continue;
        const auto* ids = reinterpret_cast<const std::uint64_t*>(segment.base + segment.head.ids_at);
        if (std::binary_search(ids, ids + segment.head.rows, id)) return true;
    }
    return false;
}

Status add_hits(const HammingView& view, std::size_t number, const Near& near, std::vector<Hit>* hits) {
    const Segment& segment = view.segments[number];
    const auto* ids = reinterpret_cast<const std::uint64_t*>(segment.base + segment.head.ids_at);
    std::uint64_t first = near.code, end = first + 1;
    if (segment.head.firsts_at != 0) {
        const auto* firsts = reinterpret_cast<const std::uint32_t*>(segment.base + segment.head.firsts_at);
        first = firsts[near.code];
        end = firsts[near.code + 1];
    }
    if (first >= end || end > segment.head.rows) return Status::corrupt;
    for (std::uint64_t k = first; k < end; k++) {
        const std::uint64_t id = ids[k];
        if (view.removed == 0 || !removed_after(view, number, id)) hits->push_back(Hit{id, near.distance});
    }
    return Status::ok;
}

// Kept from call to call, so that a single query allocates nothing. Not inlined: its address is found once.
__attribute__((noinline)) Scratch& own_scratch() {
    static thread_local Scratch scratch;
    return scratch;
}

struct Job {
    const HammingView& view;
    const std::vector<Plan>& plans;
    const std::uint8_t* queries;
    unsigned distance;
    Isa isa;

    Status one(std::size_t query, Scratch& scratch, std::vector<Hit>* hits) const {
        for (std::size_t s = 0; s < view.segments.size(); s++) {
            const Segment& segment = view.segments[s];
            if (!holds_codes(segment)) continue;
            std::uint64_t words[5] = {};
            spread_code(segment.spread, queries + code_bytes * query, words);
            Status status = search_segment(segment, plans[s], words, distance, isa, scratch);
            for (std::size_t k = 0; k < scratch.near.size() && status == Status::ok; k++) {
                status = add_hits(view, s, scratch.near[k], hits);
            }
            if (status != Status::ok) return status;
        }
        return Status::ok;
    }

    Status piece(std::size_t from, std::size_t to, Scratch& scratch, Piece* out) const {
        for (std::size_t query = from; query < to; query++) {
            const std::size_t before = out->hits.size();
            const Status status = one(query, scratch, &out->hits);
            if (status != Status::ok) return status;
            std::sort(out->hits.begin() + static_cast<std::ptrdiff_t>(before), out->hits.end(), [](const Hit& a, const Hit& b) {
                return a.distance != b.distance ? a.distance < b.distance : a.id < b.id;
            });
            out->counts.push_back(out->hits.size() - before);
        }
        return Status::ok;
    }
};

void gather(const std::vector<Piece>& pieces, std::size_t count, HammingFound* found) {
    std::size_t total = 0;
    for (const Piece& piece : pieces) total += piece.hits.size();
    found->offsets.assign(1, 0);
    found->offsets.reserve(count + 1);
    found->ids.clear();
    found->ids.reserve(total);
    found->distances.clear();
    found->distances.reserve(total);
    for (const Piece& piece : pieces) {
        for (const std::size_t hits : piece.counts) found->offsets.push_back(found->offsets.back() + static_cast<std::int64_t>(hits));
        for (const Hit& hit : piece.hits) {
            found->ids.push_back(hit.id);
            found->distances.push_back(hit.distance);
        }
    }
}

Status export_segment(const HammingView& view, std::size_t number, std::vector<std::uint8_t>* codes, std::vector<std::uint64_t>* ids) {
    const Segment& segment = view.segments[number];
    std::uint8_t back[256];
    for (unsigned k = 0; k < 256; k++) back[segment.head.permutation[k]] = static_cast<std::uint8_t>(k);
    const std::vector<std::uint64_t> gather_bits = spread_of(back);
    std::vector<Hit> hits;
    for (std::uint64_t u = 0; u < segment.head.codes; u++) {
        hits.clear();
        const Status status = add_hits(view, number, Near{static_cast<std::uint32_t>(u), 0}, &hits);
        if (status != Status::ok) return status;
        std::uint64_t words[4];
        spread_code(gather_bits, segment.base + segment.head.codes_at + code_bytes * u, words);
        const auto* bytes = reinterpret_cast<const std::uint8_t*>(words);
        for (const Hit& hit : hits) {
            codes->insert(codes->end(), bytes, bytes + code_bytes);
            ids->push_back(hit.id);
        }
    }
    return Status::ok;
}

// ---- is each code found through this band? -------------------------------------------------------------------

// No key has 32 bits, so no code is wanted under this.
constexpr std::uint64_t already_met = ~std::uint64_t{0};

template <typename Way>
VIGIL_INLINE Status reach(const BandView& band, const BandHead& head, const HintPlace& hint, const std::uint64_t* codes) {
    // What each code must be found under: its key, and above it what its posting says of the following band.
    WorkTable<std::uint64_t> wanted(band.codes);
    for (std::uint64_t u = 0; u < band.codes; u++) {
        const std::uint64_t* code = codes + 4 * u;
        wanted[u] = std::uint64_t{band_key(code, hint.start, hint.width)} << 32 | band_key(code, head.start, head.width);
    }
    std::uint64_t met = 0;
    for (std::uint64_t b = 0; b < (std::uint64_t{1} << head.width) / 32; b++) {
        const Block block = band.blocks[b];
        std::uint32_t rank = 0;
        for (std::uint32_t bit = 0; bit < 32; bit++) {
            if (!(block.occupied >> bit & 1)) continue;
            Range range;
            if (!range_of<Way>(band, Bucket{block.base, bit, rank++, 0}, &range)) return Status::unreachable;
            for (std::uint32_t k = range.begin; k < range.end; k++) {
                const std::uint64_t ahead = band.code(std::min<std::uint64_t>(k + 24, band.codes - 1));
                __builtin_prefetch(&wanted[std::min<std::uint64_t>(ahead, band.codes - 1)]);
                const std::uint32_t number = band.code(k);
                if (number >= band.codes) return Status::unreachable;
                if (wanted[number] != (std::uint64_t{band.hint(k)} << 32 | (b * 32 + bit))) return Status::unreachable;
                wanted[number] = already_met;
                met++;
            }
        }
    }
    return met == band.codes ? Status::ok : Status::unreachable;
}

Status reach_portable(const BandView& band, const BandHead& head, const HintPlace& hint, const std::uint64_t* codes) {
    return reach<Portable>(band, head, hint, codes);
}

#if defined(VIGIL_X86)
VIGIL_TARGET_AVX2 Status reach_avx2(const BandView& band, const BandHead& head, const HintPlace& hint, const std::uint64_t* codes) {
    return reach<Avx2>(band, head, hint, codes);
}
#endif

}  // namespace

// Hands out one step of radius for each bit of distance and one more, each where it costs least. Costs rise with the
// radius, so greedy is best, and the plan for a distance is the plan for the one before and one step.
void plan_radii(const SegmentHead& head, Radii& radii) {
    double table = 0, prices[largest_bands];
    for (unsigned b = 0; b < head.bands; b++) table += std::ldexp(0.25, static_cast<int>(head.band[b].width));
    const CostModel cost(head.codes, head.bands, table);
    std::int8_t now[largest_bands] = {};
    for (unsigned b = 0; b < head.bands; b++) {
        now[b] = -1;
        prices[b] = step_price(head, cost, b, 0);
    }
    for (unsigned distance = 0; distance <= largest_distance && head.bands > 0; distance++) {
        const auto best = static_cast<unsigned>(std::min_element(prices, prices + head.bands) - prices);
        now[best]++;
        prices[best] = step_price(head, cost, best, static_cast<unsigned>(now[best] + 1));
        std::memcpy(radii[distance], now, sizeof(now));
    }
}

Status segment_reach(const std::uint8_t* base, const SegmentHead& head, unsigned b, Isa isa) {
    const BandView band(base, head, b);
    const HintPlace hint(head, b);
    const auto* codes = reinterpret_cast<const std::uint64_t*>(base + head.codes_at);
#if defined(VIGIL_X86)
    if (isa == Isa::avx2) return reach_avx2(band, head.band[b], hint, codes);
#endif
    (void)isa;
    return reach_portable(band, head.band[b], hint, codes);
}

Status hamming_export(const HammingView& view, std::vector<std::uint8_t>* codes, std::vector<std::uint64_t>* ids) {
    try {
        for (std::size_t s = 0; s < view.segments.size(); s++) {
            if (!holds_codes(view.segments[s])) continue;
            const Status status = export_segment(view, s, codes, ids);
            if (status != Status::ok) return status;
        }
    } catch (const std::bad_alloc&) {
        return Status::out_of_memory;
    }
    return Status::ok;
}

Status hamming_search(const HammingView& view, const std::uint8_t* queries, std::size_t count, unsigned max_distance,
                      unsigned threads, Isa isa, HammingFound* found) {
    if (max_distance > largest_distance || (queries == nullptr && count > 0)) return Status::bad_argument;
    if (!has_isa(isa)) isa = Isa::portable;
    try {
        std::vector<Plan> plans;
        plans.reserve(view.segments.size());
        for (const Segment& segment : view.segments) plans.emplace_back(segment, max_distance);
        const Job job{view, plans, queries, max_distance, isa};
        std::vector<Piece> pieces((count + piece_queries - 1) / piece_queries);
        const Status status = share_out(pieces.size(), threads, [&](unsigned, std::size_t piece) {
            Scratch& scratch = own_scratch();
            const std::size_t from = piece * piece_queries;
            return job.piece(from, std::min(from + piece_queries, count), scratch, &pieces[piece]);
        });
        if (status != Status::ok) return status;
        gather(pieces, count, found);
    } catch (const std::bad_alloc&) {
        return Status::out_of_memory;
    }
    return Status::ok;
}

}  // namespace vigil

// Building a segment of a Hamming index.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>

#include "checksum.h"
#include "hamming.h"
#include "parallel.h"
#include "sorting.h"
#include "worktable.h"

namespace vigil {
namespace {

constexpr std::uint32_t mark = 0x80000000u;
constexpr std::size_t crowd = 64;  // postings of a block, above which its 33 starts are written out
constexpr std::size_t rows_a_piece = 65536;

std::uint64_t up_to(std::uint64_t value, std::uint64_t unit) { return (value + unit - 1) / unit * unit; }

// Code, id, postings and tables. The promise of 130 is for ten million codes; small files may be richer.
double largest_bytes_a_code(std::size_t codes) { return codes > 4'000'000 ? 128 : 190; }

// ---- the widths of the bands ---------------------------------------------------------------------------------

using Widths = std::vector<unsigned>;

// `wide` bands of width `first`; the rest of the 256 bits spread evenly over the others.
Widths widths_of(unsigned bands, unsigned wide, unsigned first) {
    Widths widths(wide, first);
    const unsigned others = bands - wide, left = code_bits - wide * first;
    for (unsigned b = 0; b < others; b++) widths.push_back(left / others + (b < left % others ? 1 : 0));
    return widths;
}

double table_bytes(const Widths& widths) {
    double bytes = 0;
    for (const unsigned width : widths) bytes += std::ldexp(0.25, static_cast<int>(width));
    return bytes;
}

// Expected nanoseconds of a query at the largest distance among uniform codes; the first `wide` bands have one step of
// radius more than the others.
double price(const Widths& widths, unsigned wide, std::size_t codes) {
    const CostModel cost(codes, static_cast<unsigned>(widths.size()), table_bytes(widths));
    const unsigned steps = (largest_distance + 1) / static_cast<unsigned>(widths.size());
    double sum = 0;
    for (unsigned b = 0; b < widths.size(); b++) {
        const double load = std::ldexp(static_cast<double>(codes), -static_cast<int>(widths[b]));
        for (unsigned k = 0; k < steps + (b < wide ? 1 : 0); k++) sum += cost.probes(widths[b], k, load);
    }
    return sum;
}

bool fits(const Widths& widths, std::size_t codes) {
    for (const unsigned width : widths) {
        if (width < smallest_width || width > largest_width) return false;
    }
    const double a_code = code_bytes + 8 + static_cast<double>(posting_bytes * widths.size());
    double bytes = table_bytes(widths);
    for (const unsigned width : widths) {
        const double buckets = std::ldexp(1.0, static_cast<int>(width));
        if (static_cast<double>(codes) > 1.8 * buckets) bytes += 4.2 * buckets;  // crowded blocks have their starts
    }
    return bytes <= (largest_bytes_a_code(codes) - a_code) * static_cast<double>(codes) + 65536;
}

Widths best_widths(std::size_t codes) {
    Widths best;
    double least = static_cast<double>(codes) * (static_cast<double>(codes) * code_bytes < 4e6 ? 0.9 : 1.6);
    for (unsigned bands = smallest_bands; bands <= largest_bands; bands++) {
        const unsigned wide = (largest_distance + 1) % bands;
        for (unsigned first = smallest_width; first <= largest_width; first++) {
            if (wide * first > code_bits - (bands - wide) * smallest_width || (wide == 0 && first > smallest_width)) break;
            const Widths widths = widths_of(bands, wide, first);
            if (!fits(widths, codes)) continue;
            const double cost = price(widths, wide, codes);
            if (cost < least) {
                least = cost;
                best = widths;
            }
        }
    }
    return best;
}

Widths chosen_widths(std::size_t codes, int bands) {
    if (bands < 0) return best_widths(codes);
    if (bands == 0) return {};
    return widths_of(static_cast<unsigned>(bands), 0, 0);
}

// ---- which bits go together ----------------------------------------------------------------------------------

constexpr std::size_t sample_rows = 8192;

struct BitStatistics {
    double plain[256];        // 1 - entropy (order 2) of each bit
    std::vector<double> tied;  // squared correlation of each pair

    BitStatistics(const std::uint8_t* codes, std::size_t rows) : tied(256 * 256, 0.0) {
        const std::size_t count = std::min(rows, sample_rows), words = (count + 63) / 64;
        std::vector<std::uint64_t> columns(256 * words, 0);
        for (std::size_t i = 0; i < count; i++) {
            const std::uint8_t* code = codes + code_bytes * (i * rows / count);
            for (unsigned k = 0; k < 256; k++) {
                if (code[k / 8] >> (k % 8) & 1) columns[k * words + i / 64] |= std::uint64_t{1} << (i % 64);
            }
        }
        measure(columns, words, static_cast<double>(count));
    }

    void measure(const std::vector<std::uint64_t>& columns, std::size_t words, double count) {
        double share[256];
        for (unsigned a = 0; a < 256; a++) {
            share[a] = both(&columns[a * words], &columns[a * words], words) / count;
            plain[a] = 1.0 + std::log2(share[a] * share[a] + (1 - share[a]) * (1 - share[a]));
        }
        for (unsigned a = 0; a < 256; a++) {
            for (unsigned b = 0; b < a; b++) {
                const double apart = both(&columns[a * words], &columns[b * words], words) / count - share[a] * share[b];
                const double spread = share[a] * (1 - share[a]) * share[b] * (1 - share[b]);
                const double square = spread > 1e-9 ? std::min(1.0, apart * apart / spread) : 0.0;
                // Bits that always go together are worth one bit: what the second one adds falls to nothing.
                tied[a * 256 + b] = tied[b * 256 + a] = square;
            }
        }
    }

    static double both(const std::uint64_t* a, const std::uint64_t* b, std::size_t words) {
        std::size_t count = 0;
        for (std::size_t w = 0; w < words; w++) count += static_cast<std::size_t>(__builtin_popcountll(a[w] & b[w]));
        return static_cast<double>(count);
    }
};

struct BandInMaking {
    std::vector<unsigned> bits;
    double plain = 0;
};

double strain(const BitStatistics& bits, const BandInMaking& band, unsigned bit) {
    double sum = band.plain + bits.plain[bit];
    for (const unsigned other : band.bits) sum += bits.tied[bit * 256 + other];
    return sum;
}

// Worst bits first, each to the band with room where it adds the least of what is already known there.
std::vector<BandInMaking> assign(const BitStatistics& statistics, const Widths& widths) {
    std::vector<double> worth(256);
    for (unsigned k = 0; k < 256; k++) {
        worth[k] = statistics.plain[k];
        for (unsigned other = 0; other < 256; other++) worth[k] += statistics.tied[k * 256 + other];
    }
    std::vector<unsigned> order(256);
    for (unsigned k = 0; k < 256; k++) order[k] = k;
    std::stable_sort(order.begin(), order.end(), [&](unsigned a, unsigned b) { return worth[a] > worth[b]; });
    std::vector<BandInMaking> bands(widths.size());
    for (const unsigned bit : order) {
        std::size_t best = widths.size();
        double least = 0;
        for (std::size_t b = 0; b < bands.size(); b++) {
            if (bands[b].bits.size() >= widths[b]) continue;
            const double cost = strain(statistics, bands[b], bit);
            if (best == widths.size() || cost < least) {
                best = b;
                least = cost;
            }
        }
        bands[best].bits.push_back(bit);
        bands[best].plain += statistics.plain[bit];
    }
    return bands;
}

}  // namespace

Status HammingBuild::create(const std::uint8_t* codes, const std::uint64_t* ids, std::size_t rows, int bands, unsigned threads,
                            Isa isa, std::unique_ptr<HammingBuild>* build) {
    const bool known = bands <= 0 || (bands >= static_cast<int>(smallest_bands) && bands <= static_cast<int>(largest_bands));
    if (!known || (rows > 0 && (codes == nullptr || ids == nullptr))) return Status::bad_argument;
    if (rows > largest_rows) return Status::too_large;
    try {
        std::unique_ptr<HammingBuild> made(new HammingBuild());
        made->input_ = codes;
        made->ids_ = ids;
        made->rows_ = rows;
        made->threads_ = std::max(1u, threads);
        made->isa_ = has_isa(isa) ? isa : Isa::portable;
        const Status status = made->prepare(bands);
        if (status == Status::ok) *build = std::move(made);
        return status;
    } catch (const std::bad_alloc&) {
        return Status::out_of_memory;
    }
}

Status HammingBuild::prepare(int bands) {
    choose_bits(bands);
    std::vector<KeyedRow> rows(rows_);
    Status status = share_out((rows_ + rows_a_piece - 1) / rows_a_piece, threads_, [&](unsigned, std::size_t piece) {
        for (std::size_t i = piece * rows_a_piece; i < std::min(rows_, (piece + 1) * rows_a_piece); i++) {
            std::uint64_t words[4];
            spread_code(spread_, input_ + code_bytes * i, words);
            rows[i] = KeyedRow{words[0], static_cast<std::uint32_t>(i)};
        }
        return Status::ok;
    });
    if (status != Status::ok) return status;
    status = sort_rows(rows, threads_, [&](std::uint32_t a, std::uint32_t b) {
        const std::uint8_t *first = input_ + code_bytes * a, *second = input_ + code_bytes * b;
        if (std::memcmp(first, second, code_bytes) == 0) return a < b;
        std::uint64_t left[4], right[4];
        spread_code(spread_, first, left);
        spread_code(spread_, second, right);
        return std::lexicographical_compare(left, left + 4, right, right + 4);
    });
    if (status != Status::ok) return status;
    order_.resize(rows_);
    for (std::size_t i = 0; i < rows_; i++) {
        order_[i] = rows[i].row;
        const bool again = i > 0 && rows[i].key == rows[i - 1].key &&
                           std::memcmp(input_ + code_bytes * rows[i].row, input_ + code_bytes * rows[i - 1].row, code_bytes) == 0;
        if (!again) firsts_.push_back(static_cast<std::uint32_t>(i));
    }
    head_.codes = firsts_.size();
    firsts_.push_back(static_cast<std::uint32_t>(rows_));
    lay_out();
    return Status::ok;
}

void HammingBuild::choose_bits(int wanted) {
    for (unsigned k = 0; k < 256; k++) head_.permutation[k] = static_cast<std::uint8_t>(k);
    const Widths widths = chosen_widths(rows_, wanted);
    head_.bands = static_cast<std::uint32_t>(widths.size());
    unsigned start = 0;
    for (unsigned b = 0; b < widths.size(); b++) {
        head_.band[b].start = start;
        head_.band[b].width = widths[b];
        start += widths[b];
    }
    if (widths.empty() || rows_ < 64) return;
    const std::vector<BandInMaking> bands = assign(BitStatistics(input_, rows_), widths);
    unsigned place = 0;
    for (const BandInMaking& band : bands) {
        for (const unsigned bit : band.bits) head_.permutation[place++] = static_cast<std::uint8_t>(bit);
    }
    spread_ = spread_of(head_.permutation);
}

void HammingBuild::lay_out() {
    std::memcpy(head_.magic, "VGLSEG\r\n", 8);
    head_.kind = static_cast<std::uint32_t>(SegmentKind::codes);
    head_.rows = rows_;
    std::uint64_t at = head_bytes;
    const auto place = [&at](std::uint64_t bytes) {
        const std::uint64_t here = at;
        at = up_to(at + bytes, 64);
        return here;
    };
    head_.codes_at = place(head_.codes * code_bytes);
    head_.firsts_at = head_.codes == head_.rows ? 0 : place((head_.codes + 1) * 4);
    head_.ids_at = place(head_.rows * 8);
    for (unsigned b = 0; b < head_.bands; b++) {
        head_.band[b].blocks_at = place((std::uint64_t{1} << head_.band[b].width) / 32 * sizeof(Block));
        head_.band[b].postings_at = place(head_.codes * posting_bytes);
    }
    head_.length = at;
    starts_.resize(head_.bands);
    bound_ = at + head_.bands * ((head_.codes / (crowd + 1) + 1) * 132 + 64);
}

std::size_t HammingBuild::steps() const { return 2 * ((head_.bands + threads_ - 1) / threads_) + 3; }

Status HammingBuild::run(std::size_t step, std::uint8_t* segment) {
    const std::size_t groups = (head_.bands + threads_ - 1) / threads_;
    if (segment == nullptr || step >= steps()) return Status::bad_argument;
    try {
        if (step == 0) return write_rows(segment);
        if (step == groups + 1) return write_starts(segment);
        if (step == 2 * groups + 2) return seal(segment);
        const bool writing = step <= groups;
        const unsigned first = static_cast<unsigned>((writing ? step - 1 : step - groups - 2) * threads_);
        return share_out(std::min<std::size_t>(threads_, head_.bands - first), threads_, [&](unsigned, std::size_t k) {
            const unsigned band = first + static_cast<unsigned>(k);
            return writing ? write_band(segment, band) : segment_reach(segment, head_, band, isa_);
        });
    } catch (const std::bad_alloc&) {
        return Status::out_of_memory;
    }
}

Status HammingBuild::write_rows(std::uint8_t* segment) {
    auto* codes = reinterpret_cast<std::uint64_t*>(segment + head_.codes_at);
    auto* ids = reinterpret_cast<std::uint64_t*>(segment + head_.ids_at);
    if (head_.firsts_at != 0) std::memcpy(segment + head_.firsts_at, firsts_.data(), firsts_.size() * 4);
    return share_out((head_.codes + rows_a_piece - 1) / rows_a_piece, threads_, [&](unsigned, std::size_t piece) {
        for (std::size_t u = piece * rows_a_piece; u < std::min<std::size_t>(head_.codes, (piece + 1) * rows_a_piece); u++) {
            const std::size_t ahead = std::min<std::size_t>(u + 16, head_.codes - 1);
            __builtin_prefetch(input_ + code_bytes * order_[firsts_[ahead]]);
            __builtin_prefetch(ids_ + order_[firsts_[ahead]]);
            spread_code(spread_, input_ + code_bytes * order_[firsts_[u]], codes + 4 * u);
            for (std::uint32_t k = firsts_[u]; k < firsts_[u + 1]; k++) ids[k] = ids_[order_[k]];
        }
        return Status::ok;
    });
}

Status HammingBuild::write_band(std::uint8_t* segment, unsigned number) {
    BandHead& band = head_.band[number];
    const auto* codes = reinterpret_cast<const std::uint64_t*>(segment + head_.codes_at);
    auto* blocks = reinterpret_cast<Block*>(segment + band.blocks_at);
    std::uint8_t* postings = segment + band.postings_at;
    const HintPlace hint(head_, number);
    const std::size_t count = head_.codes, buckets = std::size_t{1} << band.width;
    WorkTable<std::uint32_t> keys(count), places(buckets);
    for (std::size_t u = 0; u < count; u++) {
        keys[u] = band_key(codes + 4 * u, band.start, band.width);
        places[keys[u]]++;
    }
    double squares = 0;
    std::uint32_t at = 0;
    for (std::size_t b = 0; b < buckets / 32; b++) {
        std::uint32_t starts[33], occupied = 0;
        for (std::uint32_t bit = 0; bit < 32; bit++) {
            const std::uint32_t size = places[b * 32 + bit];
            squares += static_cast<double>(size) * size;
            occupied |= static_cast<std::uint32_t>(size > 0) << bit;
            starts[bit] = places[b * 32 + bit] = at;
            at += size;
        }
        starts[32] = at;
        blocks[b] = Block{occupied, starts[0]};
        if (at - starts[0] > crowd) {
            blocks[b].base = mark | static_cast<std::uint32_t>(band.crowded++);
            starts_[number].insert(starts_[number].end(), starts, starts + 33);
        }
    }
    band.load = count == 0 ? 0 : static_cast<std::uint64_t>(squares * 1024 / static_cast<double>(count));
    for (std::size_t u = 0; u < count; u++) {
        const auto code = static_cast<std::uint32_t>(u);
        const auto bits = static_cast<std::uint16_t>(band_key(codes + 4 * u, hint.start, hint.width));
        std::uint8_t* posting = postings + posting_bytes * places[keys[u]]++;
        std::memcpy(posting, &code, 4);
        std::memcpy(posting + 4, &bits, 2);
    }
    std::uint32_t before = 0;
    for (const std::uint32_t end : places) {
        if (end != before) postings[posting_bytes * (end - 1) + 3] |= 0x80;
        before = end;
    }
    return Status::ok;
}

Status HammingBuild::write_starts(std::uint8_t* segment) {
    std::uint64_t at = head_.length;
    for (unsigned b = 0; b < head_.bands; b++) {
        head_.band[b].starts_at = at;
        if (!starts_[b].empty()) std::memcpy(segment + at, starts_[b].data(), starts_[b].size() * 4);
        at = up_to(at + starts_[b].size() * 4, 8);
    }
    head_.length = up_to(at, 64);
    return head_.length <= up_to(bound_, 64) ? Status::ok : Status::corrupt;
}

Status HammingBuild::seal(std::uint8_t* segment) {
    head_.body_checksum = checksum(segment + head_bytes, head_.length - head_bytes);
    head_.head_checksum = head_checksum(head_);
    std::memcpy(segment, &head_, sizeof(head_));
    return Status::ok;
}

}  // namespace vigil

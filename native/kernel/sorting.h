// Sorts row numbers by a 64-bit key, ties by a rule of the caller's: partitioned by the leading bits, in parallel.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "parallel.h"

namespace vigil {

struct KeyedRow {
    std::uint64_t key;
    std::uint32_t row;
};

constexpr int partition_bits = 11;
constexpr std::size_t partitions = std::size_t{1} << partition_bits;

// `rows` in, sorted `rows` out. `tie(a, b)` says whether row a stands before row b where keys are equal.
template <typename Tie>
Status sort_rows(std::vector<KeyedRow>& rows, unsigned threads, const Tie& tie) {
    std::vector<std::size_t> starts(partitions + 1, 0);
    for (const KeyedRow& row : rows) starts[(row.key >> (64 - partition_bits)) + 1]++;
    for (std::size_t p = 0; p < partitions; p++) starts[p + 1] += starts[p];
    std::vector<KeyedRow> sorted(rows.size());
    std::vector<std::size_t> cursor(starts.begin(), starts.end() - 1);
    for (const KeyedRow& row : rows) sorted[cursor[row.key >> (64 - partition_bits)]++] = row;
    rows.swap(sorted);
    return share_out(partitions, threads, [&](unsigned, std::size_t p) {
        std::sort(rows.begin() + static_cast<std::ptrdiff_t>(starts[p]), rows.begin() + static_cast<std::ptrdiff_t>(starts[p + 1]),
                  [&](const KeyedRow& a, const KeyedRow& b) { return a.key != b.key ? a.key < b.key : tie(a.row, b.row); });
        return Status::ok;
    });
}

}  // namespace vigil

#include "digests.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "checksum.h"
#include "sorting.h"

namespace vigil {
namespace {

constexpr std::uint8_t magic[8] = {'V', 'G', 'L', 'D', 'I', 'G', '\r', '\n'};
constexpr std::uint32_t version = 1;
constexpr std::uint32_t smallest_bits = 4, largest_bits = 26;

std::uint64_t up_to(std::uint64_t value, std::uint64_t unit) { return (value + unit - 1) / unit * unit; }

// The first eight bytes as a number that sorts as the bytes do.
std::uint64_t prefix(const std::uint8_t* digest, std::size_t width) {
    std::uint64_t value = 0;
    std::memcpy(&value, digest, std::min<std::size_t>(width, 8));
    return __builtin_bswap64(value);
}

DigestHead head_of(std::size_t rows, std::size_t width) {
    DigestHead head{};
    std::memcpy(head.magic, magic, 8);
    head.version = version;
    head.width = static_cast<std::uint32_t>(width);
    head.rows = rows;
    head.directory_bits = smallest_bits;
    while (head.directory_bits < largest_bits && (std::size_t{8} << head.directory_bits) < rows) head.directory_bits++;
    head.directory_at = sizeof(DigestHead);
    head.digests_at = up_to(head.directory_at + ((std::uint64_t{1} << head.directory_bits) + 1) * 4, 64);
    head.ids_at = up_to(head.digests_at + rows * width, 64);
    head.length = up_to(head.ids_at + rows * 8, 64);
    return head;
}

std::uint64_t checksum_of(DigestHead head) {
    head.head_checksum = 0;
    return checksum(&head, sizeof(head));
}

bool is_sound(const DigestHead& head) {
    if (head.width == 0 || head.width > largest_digest || head.rows > largest_digests) return false;
    const DigestHead right = head_of(head.rows, head.width);  // the layout follows from two numbers
    return head.directory_bits == right.directory_bits && head.directory_at == right.directory_at &&
           head.digests_at == right.digests_at && head.ids_at == right.ids_at && head.length == right.length;
}

struct Table {
    const std::uint32_t* directory;
    const std::uint8_t* digests;
    const std::uint64_t* ids;
    std::uint64_t rows;
    std::size_t width;
    unsigned shift;

    Table(const std::uint8_t* base, const DigestHead& head)
        : directory(reinterpret_cast<const std::uint32_t*>(base + head.directory_at)), digests(base + head.digests_at),
          ids(reinterpret_cast<const std::uint64_t*>(base + head.ids_at)), rows(head.rows), width(head.width),
          shift(64 - head.directory_bits) {}

    int order(std::uint64_t row, const std::uint8_t* wanted) const { return std::memcmp(digests + row * width, wanted, width); }

    // First row in [low, high) that is not below `wanted`.
    std::uint64_t lower(std::uint64_t low, std::uint64_t high, const std::uint8_t* wanted) const {
        while (low < high) {
            const std::uint64_t middle = low + (high - low) / 2;
            if (order(middle, wanted) < 0) low = middle + 1;
            else high = middle;
        }
        return low;
    }

    Status find(const std::uint8_t* wanted, std::uint64_t* begin, std::uint64_t* end) const {
        const std::uint64_t slot = prefix(wanted, width) >> shift;
        const std::uint64_t low = directory[slot], high = directory[slot + 1];
        if (low > high || high > rows) return Status::corrupt;
        *begin = lower(low, high, wanted);
        *end = *begin;
        while (*end < high && order(*end, wanted) == 0) ++*end;
        return Status::ok;
    }
};

void write_directory(const std::vector<KeyedRow>& rows, const DigestHead& head, std::uint8_t* file) {
    auto* directory = reinterpret_cast<std::uint32_t*>(file + head.directory_at);
    const std::uint64_t slots = std::uint64_t{1} << head.directory_bits;
    std::uint32_t row = 0;
    for (std::uint64_t slot = 0; slot <= slots; slot++) {
        while (row < rows.size() && (rows[row].key >> (64 - head.directory_bits)) < slot) row++;
        directory[slot] = row;
    }
}

Status build(const std::uint8_t* digests, const std::uint64_t* ids, DigestHead head, unsigned threads, std::uint8_t* file) {
    const std::size_t width = head.width;
    std::vector<KeyedRow> rows(head.rows);
    for (std::size_t i = 0; i < rows.size(); i++) rows[i] = KeyedRow{prefix(digests + i * width, width), static_cast<std::uint32_t>(i)};
    const Status status = sort_rows(rows, threads, [&](std::uint32_t a, std::uint32_t b) {
        const int order = std::memcmp(digests + a * width, digests + b * width, width);
        return order != 0 ? order < 0 : ids[a] != ids[b] ? ids[a] < ids[b] : a < b;
    });
    if (status != Status::ok) return status;
    write_directory(rows, head, file);
    auto* stored = reinterpret_cast<std::uint64_t*>(file + head.ids_at);
    for (std::size_t i = 0; i < rows.size(); i++) {
        std::memcpy(file + head.digests_at + i * width, digests + rows[i].row * width, width);
        stored[i] = ids[rows[i].row];
    }
    head.body_checksum = checksum(file + sizeof(head), head.length - sizeof(head));
    head.head_checksum = checksum_of(head);
    std::memcpy(file, &head, sizeof(head));
    return Status::ok;
}

Status look_up_all(const Table& table) {
    for (std::uint64_t row = 0; row < table.rows; row++) {
        const std::uint8_t* digest = table.digests + row * table.width;
        if (row > 0 && table.order(row - 1, digest) == 0) continue;
        std::uint64_t begin = 0, end = 0;
        if (table.find(digest, &begin, &end) != Status::ok || begin != row || end == begin) return Status::unreachable;
        if (row > 0 && table.order(row - 1, digest) > 0) return Status::corrupt;
        for (std::uint64_t k = begin + 1; k < end; k++) {
            if (table.ids[k - 1] > table.ids[k]) return Status::corrupt;
        }
    }
    return Status::ok;
}

}  // namespace

std::size_t digests_length(std::size_t rows, std::size_t width) { return head_of(rows, width).length; }

Status digests_build(const std::uint8_t* digests, const std::uint64_t* ids, std::size_t rows, std::size_t width, unsigned threads,
                     std::uint8_t* file) {
    if (width == 0 || width > largest_digest || file == nullptr || (rows > 0 && (digests == nullptr || ids == nullptr))) {
        return Status::bad_argument;
    }
    if (rows > largest_digests) return Status::too_large;
    try {
        const DigestHead head = head_of(rows, width);
        const Status status = build(digests, ids, head, threads, file);
        return status != Status::ok ? status : look_up_all(Table(file, head));
    } catch (const std::bad_alloc&) {
        return Status::out_of_memory;
    }
}

Status digests_open(const std::uint8_t* data, std::size_t size, DigestView* view) {
    if (data == nullptr || reinterpret_cast<std::uintptr_t>(data) % 8 != 0) return Status::bad_argument;
    if (size < 8) return Status::truncated;
    if (std::memcmp(data, magic, 8) != 0) return Status::wrong_magic;
    if (size < sizeof(DigestHead)) return Status::truncated;
    std::memcpy(&view->head, data, sizeof(DigestHead));
    if (view->head.head_checksum != checksum_of(view->head)) return Status::wrong_checksum;
    if (view->head.version != version) return Status::wrong_version;
    if (!is_sound(view->head)) return Status::corrupt;
    if (view->head.length > size) return Status::truncated;
    if (view->head.length < size) return Status::corrupt;
    view->base = data;
    return Status::ok;
}

Status digests_verify(const DigestView& view) {
    const DigestHead& head = view.head;
    if (std::memcmp(view.base, &head, sizeof(head)) != 0) return Status::corrupt;
    if (checksum(view.base + sizeof(head), head.length - sizeof(head)) != head.body_checksum) return Status::wrong_checksum;
    return look_up_all(Table(view.base, head));
}

Status digests_search(const DigestView& view, const std::uint8_t* queries, std::size_t count, DigestsFound* found) {
    if (queries == nullptr && count > 0) return Status::bad_argument;
    try {
        const Table table(view.base, view.head);
        found->ids.clear();
        found->offsets.assign(1, 0);
        found->offsets.reserve(count + 1);
        constexpr std::size_t ahead = 8;  // look-ups whose directory line is already on its way
        for (std::size_t q = 0; q < count; q++) {
            if (q + ahead < count) __builtin_prefetch(&table.directory[prefix(queries + (q + ahead) * table.width, table.width) >> table.shift]);
            std::uint64_t begin = 0, end = 0;
            const Status status = table.find(queries + q * table.width, &begin, &end);
            if (status != Status::ok) return status;
            for (std::uint64_t row = begin; row < end; row++) found->ids.push_back(table.ids[row]);
            found->offsets.push_back(static_cast<std::int64_t>(found->ids.size()));
        }
    } catch (const std::bad_alloc&) {
        return Status::out_of_memory;
    }
    return Status::ok;
}

}  // namespace vigil

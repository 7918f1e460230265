// Working memory that is read and written in no order: large pages where the system has them, since most of the time
// of such work goes into finding pages. Released at the end; never part of a file.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace vigil {

constexpr std::size_t large_page = std::size_t{2} << 20;

template <typename Value>
class WorkTable {
public:
    // `count` values, all zero. Throws std::bad_alloc.
    explicit WorkTable(std::size_t count) : count_(count) {
        const std::size_t bytes = count * sizeof(Value), unit = bytes < large_page ? 64 : large_page;
        const std::size_t room = (bytes / unit + 1) * unit;
        values_.reset(static_cast<Value*>(std::aligned_alloc(unit, room)));
        if (values_ == nullptr) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
        // A wish: without it the work is slower, not different.
        if (unit == large_page) (void)madvise(values_.get(), room, MADV_HUGEPAGE);
#endif
        std::memset(values_.get(), 0, count * sizeof(Value));
    }

    Value& operator[](std::size_t at) { return values_.get()[at]; }
    const Value& operator[](std::size_t at) const { return values_.get()[at]; }
    Value* begin() { return values_.get(); }
    Value* end() { return values_.get() + count_; }

private:
    struct Free {
        void operator()(Value* values) const { std::free(values); }
    };
    std::size_t count_;
    std::unique_ptr<Value, Free> values_;
};

}  // namespace vigil

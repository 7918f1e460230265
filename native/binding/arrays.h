// Arrays as they cross the border to Python.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <utility>
#include <vector>

using Bytes = nanobind::ndarray<const std::uint8_t, nanobind::shape<-1>, nanobind::c_contig, nanobind::device::cpu>;
using Room = nanobind::ndarray<std::uint8_t, nanobind::shape<-1>, nanobind::c_contig, nanobind::device::cpu>;
using Codes = nanobind::ndarray<const std::uint8_t, nanobind::shape<-1, 32>, nanobind::c_contig, nanobind::device::cpu>;
using Rows = nanobind::ndarray<const std::uint8_t, nanobind::shape<-1, -1>, nanobind::c_contig, nanobind::device::cpu>;
using Ids = nanobind::ndarray<const std::uint64_t, nanobind::shape<-1>, nanobind::c_contig, nanobind::device::cpu>;

// Hands a vector over to NumPy without copying it.
template <typename Value>
nanobind::ndarray<nanobind::numpy, Value, nanobind::shape<-1>> array_of(std::vector<Value>&& values) {
    auto* kept = new std::vector<Value>(std::move(values));
    nanobind::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<Value>*>(p); });
    return {kept->data(), {kept->size()}, owner};
}

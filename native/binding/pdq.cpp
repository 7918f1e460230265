#include "pdq.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/tuple.h>

#include "module.h"

namespace nb = nanobind;
using namespace vigil;

namespace {

using Rgb = nb::ndarray<const std::uint8_t, nb::shape<-1, -1, 3>, nb::c_contig, nb::device::cpu>;
using Luma8 = nb::ndarray<const std::uint8_t, nb::shape<-1, -1>, nb::c_contig, nb::device::cpu>;
using Luma32 = nb::ndarray<const float, nb::shape<-1, -1>, nb::c_contig, nb::device::cpu>;

template <typename Array>
Picture picture_of(const Array& pixels, PixelKind kind, std::size_t pixel_bytes) {
    return Picture{pixels.data(), pixels.shape(0), pixels.shape(1),
                   static_cast<std::ptrdiff_t>(pixels.shape(1) * pixel_bytes), kind};
}

nb::bytes bytes_of(const PdqHash& hash) { return nb::bytes(reinterpret_cast<const char*>(hash.bits), sizeof(hash.bits)); }

nb::tuple hash(const Picture& picture, PdqOrder order, Isa isa) {
    PdqHash result{};
    Status status;
    {
        nb::gil_scoped_release released;
        status = pdq_hash(picture, order, isa, &result);
    }
    return nb::make_tuple(status, bytes_of(result), result.quality);
}

nb::tuple variants(const Picture& picture, Isa isa) {
    PdqHash results[8] = {};
    Status status;
    {
        nb::gil_scoped_release released;
        status = pdq_variants(picture, isa, results);
    }
    nb::list hashes;
    for (const PdqHash& result : results) hashes.append(nb::make_tuple(bytes_of(result), result.quality));
    return nb::make_tuple(status, nb::tuple(hashes));
}

nb::tuple samples(const Picture& picture, PdqOrder order, Isa isa) {
    auto* values = new float[64 * 64]();
    nb::capsule owner(values, [](void* p) noexcept { delete[] static_cast<float*>(p); });
    Status status;
    {
        nb::gil_scoped_release released;
        status = pdq_samples(picture, order, isa, values);
    }
    return nb::make_tuple(status, nb::ndarray<nb::numpy, float, nb::shape<64, 64>>(values, {64, 64}, owner));
}

template <typename Array, PixelKind kind, std::size_t pixel_bytes>
void bind_kind(nb::module_& module) {
    module.def("pdq_hash", [](Array pixels, PdqOrder order, Isa isa) { return hash(picture_of(pixels, kind, pixel_bytes), order, isa); },
               nb::arg("pixels").noconvert(), nb::arg("order"), nb::arg("isa"));
    module.def("pdq_variants", [](Array pixels, Isa isa) { return variants(picture_of(pixels, kind, pixel_bytes), isa); },
               nb::arg("pixels").noconvert(), nb::arg("isa"));
    module.def("pdq_samples", [](Array pixels, PdqOrder order, Isa isa) { return samples(picture_of(pixels, kind, pixel_bytes), order, isa); },
               nb::arg("pixels").noconvert(), nb::arg("order"), nb::arg("isa"));
}

}  // namespace

void bind_pdq(nb::module_& module) {
    nb::enum_<PdqOrder>(module, "PdqOrder")
        .value("AUTOMATIC", PdqOrder::automatic)
        .value("ONE_PASS", PdqOrder::one_pass)
        .value("REFERENCE", PdqOrder::reference);
    bind_kind<Rgb, PixelKind::rgb8, 3>(module);
    bind_kind<Luma8, PixelKind::luma8, 1>(module);
    bind_kind<Luma32, PixelKind::luma32f, 4>(module);
}

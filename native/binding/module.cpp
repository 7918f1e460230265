#include <nanobind/nanobind.h>

#include "checksum.h"
#include "cpu.h"
#include "module.h"
#include "status.h"

namespace nb = nanobind;

NB_MODULE(_kernel, module) {
    module.doc() = "Vigil's matching kernel";
    module.attr("ABI") = 2;
    nb::enum_<vigil::Status>(module, "Status", nb::is_arithmetic())
        .value("OK", vigil::Status::ok)
        .value("BAD_ARGUMENT", vigil::Status::bad_argument)
        .value("OUT_OF_MEMORY", vigil::Status::out_of_memory)
        .value("NOT_A_NUMBER", vigil::Status::not_a_number)
        .value("TRUNCATED", vigil::Status::truncated)
        .value("WRONG_MAGIC", vigil::Status::wrong_magic)
        .value("WRONG_VERSION", vigil::Status::wrong_version)
        .value("WRONG_CHECKSUM", vigil::Status::wrong_checksum)
        .value("CORRUPT", vigil::Status::corrupt)
        .value("UNREACHABLE", vigil::Status::unreachable)
        .value("TOO_LARGE", vigil::Status::too_large);
    nb::enum_<vigil::Isa>(module, "Isa")
        .value("PORTABLE", vigil::Isa::portable)
        .value("AVX2", vigil::Isa::avx2)
        .value("NEON", vigil::Isa::neon);
    module.def("best_isa", &vigil::best_isa);
    module.def("has_isa", &vigil::has_isa);
    bind_pdq(module);
    bind_hamming(module);
    bind_digests(module);
    module.def("checksum", [](nb::bytes data) { return vigil::checksum(data.data(), data.size()); });
}

#include <nanobind/nanobind.h>

namespace nb = nanobind;

NB_MODULE(_kernel, module) {
    module.doc() = "Vigil's matching kernel";
    module.attr("ABI") = 1;
}

#include "digests.h"

#include <nanobind/stl/unique_ptr.h>

#include "arrays.h"
#include "module.h"

namespace nb = nanobind;
using namespace vigil;

namespace {

struct OpenDigests {
    Bytes data;
    DigestView view;
};

nb::tuple open_table(Bytes data) {
    auto opened = std::make_unique<OpenDigests>();
    opened->data = data;
    const Status status = digests_open(data.data(), data.shape(0), &opened->view);
    if (status != Status::ok) return nb::make_tuple(status, nb::none());
    return nb::make_tuple(status, nb::cast(std::move(opened)));
}

nb::tuple search(const OpenDigests& table, Rows queries) {
    if (queries.shape(1) != table.view.head.width) return nb::make_tuple(Status::bad_argument, nb::none(), nb::none());
    DigestsFound found;
    Status status;
    {
        nb::gil_scoped_release released;
        status = digests_search(table.view, queries.data(), queries.shape(0), &found);
    }
    if (status != Status::ok) return nb::make_tuple(status, nb::none(), nb::none());
    return nb::make_tuple(status, array_of(std::move(found.offsets)), array_of(std::move(found.ids)));
}

// One digest as bytes, and only whether it is there; too short a way to let others run meanwhile.
nb::tuple holds(const OpenDigests& table, nb::bytes digest) {
    if (digest.size() != table.view.head.width) return nb::make_tuple(Status::bad_argument, false);
    DigestsFound found;
    const Status status = digests_search(table.view, reinterpret_cast<const std::uint8_t*>(digest.data()), 1, &found);
    return nb::make_tuple(status, !found.ids.empty());
}

Status build(Rows digests, Ids ids, unsigned threads, Room file) {
    const std::size_t rows = digests.shape(0), width = digests.shape(1);
    const bool fits = rows == ids.shape(0) && file.shape(0) == digests_length(rows, width);
    if (!fits || reinterpret_cast<std::uintptr_t>(file.data()) % 8 != 0) return Status::bad_argument;
    nb::gil_scoped_release released;
    return digests_build(digests.data(), ids.data(), rows, width, threads, file.data());
}

}  // namespace

void bind_digests(nb::module_& module) {
    nb::class_<OpenDigests>(module, "DigestView")
        .def("search", &search, nb::arg("queries").noconvert())
        .def("holds", &holds, nb::arg("digest"))
        .def("verify", [](const OpenDigests& table) { nb::gil_scoped_release released; return digests_verify(table.view); })
        .def_prop_ro("rows", [](const OpenDigests& table) { return table.view.head.rows; })
        .def_prop_ro("width", [](const OpenDigests& table) { return table.view.head.width; });
    module.def("digests_open", &open_table, nb::arg("data").noconvert());
    module.def("digests_length", &digests_length, nb::arg("rows"), nb::arg("width"));
    module.def("digests_build", &build, nb::arg("digests").noconvert(), nb::arg("ids").noconvert(), nb::arg("threads"),
               nb::arg("file").noconvert());
}

#include "hamming.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/unique_ptr.h>

#include "arrays.h"
#include "module.h"

namespace nb = nanobind;
using namespace vigil;

namespace {

// A view and the bytes it reads; the array keeps the mapping alive.
struct OpenHamming {
    Bytes data;
    HammingView view;
};

struct RunningBuild {
    Codes codes;
    Ids ids;
    std::unique_ptr<HammingBuild> build;
};

nb::tuple open_index(Bytes data) {
    auto opened = std::make_unique<OpenHamming>();
    opened->data = data;
    const Status status = hamming_open(data.data(), data.shape(0), &opened->view);
    if (status != Status::ok) return nb::make_tuple(status, nb::none());
    return nb::make_tuple(status, nb::cast(std::move(opened)));
}

nb::tuple search(const OpenHamming& index, Codes queries, unsigned max_distance, unsigned threads, Isa isa) {
    HammingFound found;
    Status status;
    {
        nb::gil_scoped_release released;
        status = hamming_search(index.view, queries.data(), queries.shape(0), max_distance, threads, isa, &found);
    }
    if (status != Status::ok) return nb::make_tuple(status, nb::none(), nb::none(), nb::none());
    return nb::make_tuple(status, array_of(std::move(found.offsets)), array_of(std::move(found.ids)), array_of(std::move(found.distances)));
}

// One code as bytes, and only whether anything is near it: no array is made.
nb::tuple holds(const OpenHamming& index, nb::bytes code, unsigned max_distance, Isa isa) {
    if (code.size() != code_bytes) return nb::make_tuple(Status::bad_argument, false);
    HammingFound found;
    Status status;
    {
        nb::gil_scoped_release released;
        status = hamming_search(index.view, reinterpret_cast<const std::uint8_t*>(code.data()), 1, max_distance, 1, isa, &found);
    }
    return nb::make_tuple(status, !found.ids.empty());
}

nb::tuple layout(const OpenHamming& index) {
    nb::list segments;
    for (const Segment& segment : index.view.segments) {
        nb::list widths, loads;
        for (unsigned b = 0; b < segment.head.bands; b++) {
            widths.append(segment.head.band[b].width);
            loads.append(static_cast<double>(segment.head.band[b].load) / 1024);
        }
        segments.append(nb::make_tuple(segment.head.kind, segment.head.rows, segment.head.codes, segment.head.length,
                                       nb::tuple(widths), nb::tuple(loads)));
    }
    return nb::tuple(segments);
}

nb::tuple export_rows(const OpenHamming& index) {
    std::vector<std::uint8_t> codes;
    std::vector<std::uint64_t> ids;
    Status status;
    {
        nb::gil_scoped_release released;
        status = hamming_export(index.view, &codes, &ids);
    }
    return nb::make_tuple(status, array_of(std::move(codes)), array_of(std::move(ids)));
}

Status verify(const OpenHamming& index, unsigned threads, Isa isa) {
    nb::gil_scoped_release released;
    return hamming_verify(index.view, index.data.data(), threads, isa);
}

nb::tuple start_build(Codes codes, Ids ids, int bands, unsigned threads, Isa isa) {
    auto running = std::make_unique<RunningBuild>();
    running->codes = codes;
    running->ids = ids;
    Status status = codes.shape(0) == ids.shape(0) ? Status::ok : Status::bad_argument;
    if (status == Status::ok) {
        nb::gil_scoped_release released;
        status = HammingBuild::create(codes.data(), ids.data(), codes.shape(0), bands, threads, isa, &running->build);
    }
    if (status != Status::ok) return nb::make_tuple(status, nb::none());
    return nb::make_tuple(status, nb::cast(std::move(running)));
}

Status run_build(RunningBuild& running, std::size_t step, Room segment) {
    if (segment.shape(0) < running.build->bound() || reinterpret_cast<std::uintptr_t>(segment.data()) % 8 != 0) return Status::bad_argument;
    nb::gil_scoped_release released;
    return running.build->run(step, segment.data());
}

Status removals(Ids ids, Room segment) {
    if (segment.shape(0) != removals_length(ids.shape(0)) || reinterpret_cast<std::uintptr_t>(segment.data()) % 8 != 0) return Status::bad_argument;
    write_removals(ids.data(), ids.shape(0), segment.data());
    return Status::ok;
}

nb::tuple first_commit(Bytes file) {
    FileHead head{};
    if (file.shape(0) < 2 * head_bytes || reinterpret_cast<std::uintptr_t>(file.data()) % 8 != 0) return nb::make_tuple(Status::bad_argument, nb::bytes("", 0));
    const Status status = hamming_first_commit(file.data(), file.shape(0), &head);
    return nb::make_tuple(status, nb::bytes(reinterpret_cast<const char*>(&head), sizeof(head)));
}

nb::tuple next_commit(const OpenHamming& index, Bytes segment) {
    Commit commit{};
    std::size_t at = 0;
    if (reinterpret_cast<std::uintptr_t>(segment.data()) % 8 != 0) return nb::make_tuple(Status::bad_argument, nb::bytes("", 0), at);
    const Status status = hamming_next_commit(index.view, segment.data(), segment.shape(0), &commit, &at);
    return nb::make_tuple(status, nb::bytes(reinterpret_cast<const char*>(&commit), sizeof(commit)), at);
}

}  // namespace

void bind_hamming(nb::module_& module) {
    module.attr("HEAD_BYTES") = head_bytes;
    nb::class_<OpenHamming>(module, "HammingView")
        .def("search", &search, nb::arg("queries").noconvert(), nb::arg("max_distance"), nb::arg("threads"), nb::arg("isa"))
        .def("holds", &holds, nb::arg("code"), nb::arg("max_distance"), nb::arg("isa"))
        .def("verify", &verify, nb::arg("threads"), nb::arg("isa"))
        .def("layout", &layout)
        .def("export_rows", &export_rows)
        .def("next_commit", &next_commit, nb::arg("segment").noconvert())
        .def_prop_ro("rows", [](const OpenHamming& index) { return index.view.rows; })
        .def_prop_ro("removed", [](const OpenHamming& index) { return index.view.removed; })
        .def_prop_ro("length", [](const OpenHamming& index) { return index.view.length; })
        .def_prop_ro("sequence", [](const OpenHamming& index) { return index.view.sequence; });
    nb::class_<RunningBuild>(module, "HammingBuild")
        .def("run", &run_build, nb::arg("step"), nb::arg("segment").noconvert())
        .def_prop_ro("steps", [](const RunningBuild& running) { return running.build->steps(); })
        .def_prop_ro("bound", [](const RunningBuild& running) { return running.build->bound(); })
        .def_prop_ro("length", [](const RunningBuild& running) { return running.build->length(); });
    module.def("hamming_open", &open_index, nb::arg("data").noconvert());
    module.def("hamming_build", &start_build, nb::arg("codes").noconvert(), nb::arg("ids").noconvert(), nb::arg("bands"),
               nb::arg("threads"), nb::arg("isa"));
    module.def("hamming_removals_length", &removals_length);
    module.def("hamming_removals", &removals, nb::arg("ids").noconvert(), nb::arg("segment").noconvert());
    module.def("hamming_first_commit", &first_commit, nb::arg("file").noconvert());
}

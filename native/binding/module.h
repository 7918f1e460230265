// The parts of the Python module. Nothing but this folder knows Python.
#pragma once

#include <nanobind/nanobind.h>

void bind_pdq(nanobind::module_& module);
void bind_hamming(nanobind::module_& module);
void bind_digests(nanobind::module_& module);

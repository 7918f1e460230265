// The parts of the Python module. Nothing but this folder knows Python.
#pragma once

#include <nanobind/nanobind.h>

void bind_pdq(nanobind::module_& module);

"""Names of C++ and Rust functions: as c++filt and rustfilt print them."""

from __future__ import annotations

import pytest

from ckpt_tui.stacks.demangle import demangled

NAMES = {
    "main": "main",
    "_ZNSt6thread4joinEv": "std::thread::join()",
    "_ZN12_GLOBAL__N_111stand_stillEyPKcOd": "(anonymous namespace)::stand_still"
    "(unsigned long long, char const*, double&&)",
    "_ZNK5outer5inner3BoxIlLi4EEcvbEv": "outer::inner::Box<long, 4>::operator bool() const",
    "_ZN5outer5inner3BoxIlLi4EEC2Ev": "outer::inner::Box<long, 4>::Box()",
    "_ZNK5outer5inner3BoxIlLi4EEixESt4pairIicE": "outer::inner::Box<long, 4>::operator[]"
    "(std::pair<int, char>) const",
    "_ZN5outer5innerL13with_functionESt8functionIFiiEEPFiNS0_6ColourEES4_": "outer::inner::"
    "with_function(std::function<int (int)>, int (*)(outer::inner::Colour), outer::inner::Colour)",
    "_ZN5outer8variadicIJiPKcfEEEiDpT_": "int outer::variadic<int, char const*, float>"
    "(int, char const*, float)",
    "_ZNSt6thread11_State_implINS_8_InvokerISt5tupleIJZ4mainEUlvE_EEEEE6_M_runEv": "std::thread::"
    "_State_impl<std::thread::_Invoker<std::tuple<main::{lambda()#1}> > >::_M_run()",
    "_ZZL4lessRKSsS0_ENKUliE13_clEi.isra.0": "less(std::string const&, std::string const&)::"
    "{lambda(int)#15}::operator()(int) const [clone .isra.0]",
    "_ZN3LogLsILi63EEERS_RAT__Kc": "_ZN3LogLsILi63EEERS_RAT__Kc",
    "_ZN3LoglsILi63EEERS_RAT__Kc": "Log& Log::operator<< <63>(char const (&) [63])",
    "_ZThn16_N1A1fEv": "non-virtual thunk to A::f()",
    "_ZTV1A": "vtable for A",
    "_ZN4core3fmt5write17h0123456789abcdefE": "core::fmt::write",
    "_ZN58_$LT$alloc..string..String$u20$as$u20$core..fmt..Debug$GT$3fmt17h0123456789abcdefE": (
        "<alloc::string::String as core::fmt::Debug>::fmt"
    ),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_as_in_the_source(name: str) -> None:
    assert demangled(name) == NAMES[name]


@pytest.mark.parametrize(
    "name",
    [
        "_Z",
        "_ZN",
        "_ZN3ab",
        "_ZNS_E",
        "_ZNT_E",
        "_Z1fIiEvT99_",
        "_ZN99999999999999999999aE",
        "_Z1f" + "P" * 4000,
        "_Z" + "N" * 4000,
        "_Z1f" + "F" * 4000,
        "_ZN1aE" + "\udcff",
    ],
)
def test_what_is_no_name_stays(name: str) -> None:
    assert demangled(name) == name


def test_a_name_that_doubles_with_every_letter_is_bounded() -> None:
    name = "_Z1f1a" + "".join(f"N1bI{a}{a}E1cE" for a in ["S_", *(f"S{n}_" for n in range(30))])
    assert len(demangled(name)) < 1 << 20

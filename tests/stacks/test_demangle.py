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
    "_RNCNCNvNtNtCsjrHSEGnQ3l9_3std3sys9backtrace10__print_fmts_00B9_": (
        "std::sys::backtrace::_print_fmt::{closure#1}::{closure#0}"
    ),
    "_RINvCsj6gjteTz5uu_1b4holdNCNvNtB2_u8gdel_5qau9mller_kva0EB2_.llvm.77": (
        "b::hold::<b::gödel::müller::{closure#0}>"
    ),
    "_RINvC1b4holdFUKClvElE": 'b::hold::<unsafe extern "C" fn(i32, ...) -> i32>',
    "_RINvC1b4holdFG_RL0_eEuE": "b::hold::<for<'a> fn(&'a str)>",
    "_RINvC1b1fQDNtC1c8Iteratorp4ItemcEL_E": "b::f::<&mut dyn c::Iterator<Item = char>>",
    "_RNvMs_C1bINtB4_1KKb0_Kca_Kx7fffffffffffffff_Kln5_pAhj3_E2go": (
        "<b::K<false, '\\n', 9223372036854775807, -5, _, [u8; 3]>>::go"
    ),
    "_RNSNvYThEINtC4core6FnOnceuE9call_once6vtable": (
        "<(u8,) as core::FnOnce<()>>::call_once::{shim:vtable#0}"
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
        "_R",
        "_RNvC1b",
        "_RNvB_1a",
        "_RNvC1bu3\udcffab",
        "_RC99999999999999a",
        "_RINvC1b1f" + "R" * 4000,
        "_RINvC1b1fRL5_eE",
        "_RINvC1b1fFGzzzzzzz_uEuE",
        "_RINvC1b1fKj" + "f" * 40 + "_E",
    ],
)
def test_what_is_no_name_stays(name: str) -> None:
    assert demangled(name) == name


def test_a_name_that_doubles_with_every_letter_is_bounded() -> None:
    name = "_Z1f1a" + "".join(f"N1bI{a}{a}E1cE" for a in ["S_", *(f"S{n}_" for n in range(30))])
    assert len(demangled(name)) < 1 << 20


def test_a_pair_of_pairs_of_pairs_is_bounded() -> None:
    name, last = "_RINvC1b1f", "m"
    for _ in range(60):
        place = f"B{_base62(len(name) - 2)}"
        name, last = f"{name}T{last}{last}E", place
        if name.count("T") == 3:
            assert demangled(name + "E").endswith(
                "<(u32, u32), ((u32, u32), (u32, u32)), "
                "(((u32, u32), (u32, u32)), ((u32, u32), (u32, u32)))>"
            )
    assert demangled(name + "E") == name + "E"


def _base62(number: int) -> str:
    digits, text = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", ""
    number -= 1
    while number:
        number, last = divmod(number, 62)
        text = digits[last] + text
    return (text or "0") + "_"

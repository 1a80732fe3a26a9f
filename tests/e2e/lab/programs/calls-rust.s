	.file	"calls.5de4f88e487862aa-cgu.0"
	.section	.text._RINvCs83NsFMusk0o_5calls4eachReNCNvB2_8closures0EB2_,"ax",@progbits
	.p2align	4
	.type	_RINvCs83NsFMusk0o_5calls4eachReNCNvB2_8closures0EB2_,@function
_RINvCs83NsFMusk0o_5calls4eachReNCNvB2_8closures0EB2_:
	.cfi_startproc
	pushq	%rax
	.cfi_def_cfa_offset 16
	callq	_RNCNvCs83NsFMusk0o_5calls8closures0B3_
.Lfunc_end0:
	.size	_RINvCs83NsFMusk0o_5calls4eachReNCNvB2_8closures0EB2_, .Lfunc_end0-_RINvCs83NsFMusk0o_5calls4eachReNCNvB2_8closures0EB2_
	.cfi_endproc

	.section	.text._RNCNvCs83NsFMusk0o_5calls8closures0B3_,"ax",@progbits
	.p2align	4
	.type	_RNCNvCs83NsFMusk0o_5calls8closures0B3_,@function
_RNCNvCs83NsFMusk0o_5calls8closures0B3_:
	.cfi_startproc
	pushq	%rax
	.cfi_def_cfa_offset 16
	callq	_RNvCs83NsFMusk0o_5calls11stand_still
.Lfunc_end1:
	.size	_RNCNvCs83NsFMusk0o_5calls8closures0B3_, .Lfunc_end1-_RNCNvCs83NsFMusk0o_5calls8closures0B3_
	.cfi_endproc

	.section	.text._RNvCs83NsFMusk0o_5calls11stand_still,"ax",@progbits
	.p2align	4
	.type	_RNvCs83NsFMusk0o_5calls11stand_still,@function
_RNvCs83NsFMusk0o_5calls11stand_still:
	.cfi_startproc
	pushq	%rbx
	.cfi_def_cfa_offset 16
	.cfi_offset %rbx, -16
	movl	$1, %eax
	lock		xaddl	%eax, _RNvCs83NsFMusk0o_5calls5READY(%rip)
	cmpl	$3, %eax
	jne	.LBB2_2
	leaq	.Lanon.08db852e03dc71a8196465ef67509187.0(%rip), %rdi
	movl	$420, %esi
	callq	*creat@GOTPCREL(%rip)
.LBB2_2:
	movq	pause@GOTPCREL(%rip), %rbx
	.p2align	4
.LBB2_3:
	callq	*%rbx
	jmp	.LBB2_3
.Lfunc_end2:
	.size	_RNvCs83NsFMusk0o_5calls11stand_still, .Lfunc_end2-_RNvCs83NsFMusk0o_5calls11stand_still
	.cfi_endproc

	.section	.text._RNvCs83NsFMusk0o_5calls6shapes,"ax",@progbits
	.p2align	4
	.type	_RNvCs83NsFMusk0o_5calls6shapes,@function
_RNvCs83NsFMusk0o_5calls6shapes:
	.cfi_startproc
	subq	$24, %rsp
	.cfi_def_cfa_offset 32
	movq	$5, 16(%rsp)
	leaq	16(%rsp), %rax
	movq	%rax, (%rsp)
	leaq	.Lanon.08db852e03dc71a8196465ef67509187.1(%rip), %rax
	movq	%rax, 8(%rsp)
	movq	%rsp, %rax
	#APP
	#NO_APP
	movq	(%rsp), %rdi
	movq	8(%rsp), %rax
	leaq	.Lanon.08db852e03dc71a8196465ef67509187.2(%rip), %rsi
	callq	*24(%rax)
	movq	%rax, (%rsp)
	movq	%rsp, %rax
	#APP
	#NO_APP
	xorl	%eax, %eax
	addq	$24, %rsp
	.cfi_def_cfa_offset 8
	retq
.Lfunc_end3:
	.size	_RNvCs83NsFMusk0o_5calls6shapes, .Lfunc_end3-_RNvCs83NsFMusk0o_5calls6shapes
	.cfi_endproc

	.section	.text._RNvCs83NsFMusk0o_5calls7recurse,"ax",@progbits
	.p2align	4
	.type	_RNvCs83NsFMusk0o_5calls7recurse,@function
_RNvCs83NsFMusk0o_5calls7recurse:
	.cfi_startproc
	pushq	%rax
	.cfi_def_cfa_offset 16
	testl	%edi, %edi
	je	.LBB4_2
	decl	%edi
	callq	_RNvCs83NsFMusk0o_5calls7recurse
	movl	%eax, 4(%rsp)
	leaq	4(%rsp), %rax
	#APP
	#NO_APP
	movl	4(%rsp), %eax
	incl	%eax
	popq	%rcx
	.cfi_def_cfa_offset 8
	retq
.LBB4_2:
	.cfi_def_cfa_offset 16
	callq	_RNCNvCs83NsFMusk0o_5calls8closures0B3_
.Lfunc_end4:
	.size	_RNvCs83NsFMusk0o_5calls7recurse, .Lfunc_end4-_RNvCs83NsFMusk0o_5calls7recurse
	.cfi_endproc

	.section	.text._RNvCs83NsFMusk0o_5calls8closures,"ax",@progbits
	.p2align	4
	.type	_RNvCs83NsFMusk0o_5calls8closures,@function
_RNvCs83NsFMusk0o_5calls8closures:
	.cfi_startproc
	pushq	%rax
	.cfi_def_cfa_offset 16
	callq	_RINvCs83NsFMusk0o_5calls4eachReNCNvB2_8closures0EB2_
.Lfunc_end5:
	.size	_RNvCs83NsFMusk0o_5calls8closures, .Lfunc_end5-_RNvCs83NsFMusk0o_5calls8closures
	.cfi_endproc

	.section	.text._RNvCs83NsFMusk0o_5calls9recursion,"ax",@progbits
	.p2align	4
	.type	_RNvCs83NsFMusk0o_5calls9recursion,@function
_RNvCs83NsFMusk0o_5calls9recursion:
	.cfi_startproc
	pushq	%rax
	.cfi_def_cfa_offset 16
	movl	$20, %edi
	callq	_RNvCs83NsFMusk0o_5calls7recurse
	movl	%eax, 4(%rsp)
	leaq	4(%rsp), %rax
	#APP
	#NO_APP
	xorl	%eax, %eax
	popq	%rcx
	.cfi_def_cfa_offset 8
	retq
.Lfunc_end6:
	.size	_RNvCs83NsFMusk0o_5calls9recursion, .Lfunc_end6-_RNvCs83NsFMusk0o_5calls9recursion
	.cfi_endproc

	.section	.text._RNvCsfLfy6EI15iL_7___rustc17rust_begin_unwind,"ax",@progbits
	.hidden	_RNvCsfLfy6EI15iL_7___rustc17rust_begin_unwind
	.globl	_RNvCsfLfy6EI15iL_7___rustc17rust_begin_unwind
	.p2align	4
	.type	_RNvCsfLfy6EI15iL_7___rustc17rust_begin_unwind,@function
_RNvCsfLfy6EI15iL_7___rustc17rust_begin_unwind:
	.cfi_startproc
	.p2align	4
.LBB7_1:
	jmp	.LBB7_1
.Lfunc_end7:
	.size	_RNvCsfLfy6EI15iL_7___rustc17rust_begin_unwind, .Lfunc_end7-_RNvCsfLfy6EI15iL_7___rustc17rust_begin_unwind
	.cfi_endproc

	.section	.text._RNvXCs83NsFMusk0o_5callsINtB2_6SquarexKjc_ENtB2_5Shape4areaB2_,"ax",@progbits
	.p2align	4
	.type	_RNvXCs83NsFMusk0o_5callsINtB2_6SquarexKjc_ENtB2_5Shape4areaB2_,@function
_RNvXCs83NsFMusk0o_5callsINtB2_6SquarexKjc_ENtB2_5Shape4areaB2_:
	.cfi_startproc
	pushq	%rax
	.cfi_def_cfa_offset 16
	callq	_RNvCs83NsFMusk0o_5calls11stand_still
.Lfunc_end8:
	.size	_RNvXCs83NsFMusk0o_5callsINtB2_6SquarexKjc_ENtB2_5Shape4areaB2_, .Lfunc_end8-_RNvXCs83NsFMusk0o_5callsINtB2_6SquarexKjc_ENtB2_5Shape4areaB2_
	.cfi_endproc

	.section	.text.main,"ax",@progbits
	.globl	main
	.p2align	4
	.type	main,@function
main:
	.cfi_startproc
	pushq	%r14
	.cfi_def_cfa_offset 16
	pushq	%rbx
	.cfi_def_cfa_offset 24
	pushq	%rax
	.cfi_def_cfa_offset 32
	.cfi_offset %rbx, -24
	.cfi_offset %r14, -16
	movq	$0, (%rsp)
	leaq	_RNvCs83NsFMusk0o_5calls6shapes(%rip), %rdx
	movq	pthread_create@GOTPCREL(%rip), %r14
	movq	%rsp, %rbx
	movq	%rbx, %rdi
	xorl	%esi, %esi
	xorl	%ecx, %ecx
	callq	*%r14
	movq	$0, (%rsp)
	leaq	_RNvCs83NsFMusk0o_5calls8closures(%rip), %rdx
	movq	%rbx, %rdi
	xorl	%esi, %esi
	xorl	%ecx, %ecx
	callq	*%r14
	movq	$0, (%rsp)
	leaq	_RNvCs83NsFMusk0o_5calls9recursion(%rip), %rdx
	movq	%rbx, %rdi
	xorl	%esi, %esi
	xorl	%ecx, %ecx
	callq	*%r14
	callq	_RNvCs83NsFMusk0o_5calls11stand_still
.Lfunc_end9:
	.size	main, .Lfunc_end9-main
	.cfi_endproc

	.type	.Lanon.08db852e03dc71a8196465ef67509187.0,@object
	.section	.rodata.str1.1,"aMS",@progbits,1
.Lanon.08db852e03dc71a8196465ef67509187.0:
	.asciz	"/tmp/ready"
	.size	.Lanon.08db852e03dc71a8196465ef67509187.0, 11

	.type	_RNvCs83NsFMusk0o_5calls5READY,@object
	.section	.bss._RNvCs83NsFMusk0o_5calls5READY,"aw",@nobits
	.p2align	2, 0x0
_RNvCs83NsFMusk0o_5calls5READY:
	.zero	4
	.size	_RNvCs83NsFMusk0o_5calls5READY, 4

	.type	.Lanon.08db852e03dc71a8196465ef67509187.1,@object
	.section	.data.rel.ro..Lanon.08db852e03dc71a8196465ef67509187.1,"aw",@progbits
	.p2align	3, 0x0
.Lanon.08db852e03dc71a8196465ef67509187.1:
	.asciz	"\000\000\000\000\000\000\000\000\b\000\000\000\000\000\000\000\b\000\000\000\000\000\000"
	.quad	_RNvXCs83NsFMusk0o_5callsINtB2_6SquarexKjc_ENtB2_5Shape4areaB2_
	.size	.Lanon.08db852e03dc71a8196465ef67509187.1, 32

	.type	.Lanon.08db852e03dc71a8196465ef67509187.2,@object
	.section	.rodata..Lanon.08db852e03dc71a8196465ef67509187.2,"a",@progbits
.Lanon.08db852e03dc71a8196465ef67509187.2:
	.ascii	"\001\002\003"
	.size	.Lanon.08db852e03dc71a8196465ef67509187.2, 3

	.ident	"rustc version 1.95.0 (59807616e 2026-04-14)"
	.section	".note.GNU-stack","",@progbits

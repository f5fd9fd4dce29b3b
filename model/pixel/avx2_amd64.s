#include "textflag.h"

// func lumaRowsPacked(dst, src *byte, n, rows, dstStride, srcStride int, shift uint)
TEXT ·lumaRowsPacked(SB), NOSPLIT, $0-56
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	MOVQ rows+24(FP), DX
	MOVQ dstStride+32(FP), R8
	MOVQ srcStride+40(FP), R9
	MOVQ shift+48(FP), AX
	VMOVQ AX, X12
	VPCMPEQW Y14, Y14, Y14
	VPSRLW   $8, Y14, Y15   // 00ff in each word
	VPCMPEQB Y13, Y13, Y13
	VPABSB   Y13, Y13       // 01 in each byte
	VPSLLW   $7, Y13, Y14   // 80 in each byte: 0101 << 7 = 8080

packedRow:
	DECQ DX
	JLT  packedDone
	MOVQ SI, R10
	MOVQ DI, R11
	MOVQ CX, BX

packed:
	SUBQ $32, BX
	JLT  packedNext
	VMOVDQU (R10), Y0
	VMOVDQU 32(R10), Y1
	VPSRLW X12, Y0, Y0
	VPSRLW X12, Y1, Y1
	VPAND Y15, Y0, Y0
	VPAND Y15, Y1, Y1
	VPACKUSWB Y1, Y0, Y0
	VPERMQ $0xd8, Y0, Y0    // VPACKUSWB works in halves
	VPXOR Y14, Y0, Y0
	VMOVDQU Y0, (R11)
	ADDQ $64, R10
	ADDQ $32, R11
	JMP  packed

packedNext:
	ADDQ R8, DI
	ADDQ R9, SI
	JMP  packedRow

packedDone:
	VZEROUPPER
	RET

// func lumaRowsPlanar(dst, src *byte, n, rows, dstStride, srcStride int)
TEXT ·lumaRowsPlanar(SB), NOSPLIT, $0-48
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	MOVQ rows+24(FP), DX
	MOVQ dstStride+32(FP), R8
	MOVQ srcStride+40(FP), R9
	VPCMPEQB Y13, Y13, Y13
	VPABSB   Y13, Y13
	VPSLLW   $7, Y13, Y14

planarRow:
	DECQ DX
	JLT  planarDone
	XORQ BX, BX

planar:
	CMPQ BX, CX
	JGE  planarNext
	VPXOR (SI)(BX*1), Y14, Y0
	VMOVDQU Y0, (DI)(BX*1)
	ADDQ $32, BX
	JMP  planar

planarNext:
	ADDQ R8, DI
	ADDQ R9, SI
	JMP  planarRow

planarDone:
	VZEROUPPER
	RET

// BOX sums one box into the 4 lanes of X: its rows are read into the 4 parts of
// X, weighed by columns (unsigned weights, signed samples), then by rows.
#define BOX(i, X) \
	MOVL at-96+4*i(SP), AX         \
	MOVL atX-64+4*i(SP), DX        \
	MOVL atY-32+4*i(SP), R8        \
	VMOVD (SI)(AX*1), X            \
	VPINSRD $1, (R11)(AX*1), X, X  \
	VPINSRD $2, (R12)(AX*1), X, X  \
	VPINSRD $3, (R13)(AX*1), X, X  \
	VMOVDQU (R9)(DX*1), X7         \
	VPMADDUBSW X, X7, X            \
	VPMADDWD (R10)(R8*1), X, X

// FOUR makes four sums of X0 to X3 and puts their table entries to o(DI).
#define FOUR(o) \
	VPHADDD X1, X0, X0      \
	VPHADDD X3, X2, X2      \
	VPHADDD X2, X0, X0      \
	VPADDD X15, X0, X0      \
	VPSRLD $20, X0, X0      \
	VMOVQ X0, AX            \
	VPEXTRQ $1, X0, DX      \
	MOVL AX, R8             \
	SHRQ $32, AX            \
	MOVBLZX (BX)(R8*1), R8  \
	MOVBLZX (BX)(AX*1), AX  \
	MOVB R8, o(DI)          \
	MOVB AX, o+1(DI)        \
	MOVL DX, R8             \
	SHRQ $32, DX            \
	MOVBLZX (BX)(R8*1), R8  \
	MOVBLZX (BX)(DX*1), DX  \
	MOVB R8, o+2(DI)        \
	MOVB DX, o+3(DI)

DATA steps<>+0(SB)/4, $0
DATA steps<>+4(SB)/4, $1
DATA steps<>+8(SB)/4, $2
DATA steps<>+12(SB)/4, $3
DATA steps<>+16(SB)/4, $4
DATA steps<>+20(SB)/4, $5
DATA steps<>+24(SB)/4, $6
DATA steps<>+28(SB)/4, $7
GLOBL steps<>(SB), RODATA|NOPTR, $32

// func boxes4(dst *byte, n int, patch *byte, stride int, u, v, du, dv int32, x *[256][16]uint8, y *[256][8]int16, table *[1024]byte, ahead *byte, aheadStride, aheadStep int)
TEXT ·boxes4(SB), NOSPLIT, $96-96
	MOVQ ahead+72(FP), R14
	MOVQ aheadStride+80(FP), R15
	MOVQ dst+0(FP), DI
	MOVQ n+8(FP), CX
	MOVQ patch+16(FP), SI
	MOVQ stride+24(FP), R8
	MOVQ x+48(FP), R9
	MOVQ y+56(FP), R10
	MOVQ table+64(FP), BX
	LEAQ (SI)(R8*1), R11
	LEAQ (R11)(R8*1), R12
	LEAQ (R12)(R8*1), R13
	VMOVD R8, X12
	VPBROADCASTD X12, Y12       // stride

	VMOVDQU steps<>(SB), Y0
	MOVL du+40(FP), AX
	VMOVD AX, X10
	VPBROADCASTD X10, Y10
	MOVL dv+44(FP), AX
	VMOVD AX, X11
	VPBROADCASTD X11, Y11
	VPMULLD Y10, Y0, Y1
	VPMULLD Y11, Y0, Y2
	MOVL u+32(FP), AX
	VMOVD AX, X8
	VPBROADCASTD X8, Y8
	MOVL v+36(FP), AX
	VMOVD AX, X9
	VPBROADCASTD X9, Y9
	VPADDD Y1, Y8, Y8           // u of 8 boxes
	VPADDD Y2, Y9, Y9
	VPSLLD $3, Y10, Y10         // 8 steps further
	VPSLLD $3, Y11, Y11

	MOVL $0xff0, AX             // 1/256 samples, times the tables' 16 bytes
	VMOVD AX, X13
	VPBROADCASTD X13, Y13
	MOVL $0x20080000, AX        // 128 once more, and a half to round: 2^29 + 2^19
	VMOVD AX, X15
	VPBROADCASTD X15, Y15

boxes:
	SUBQ $8, CX
	JLT  boxesDone
	PREFETCHT0 (R14)
	PREFETCHT0 (R14)(R15*1)
	PREFETCHT0 (R14)(R15*2)
	ADDQ aheadStep+88(FP), R14
	VPSRAD $16, Y9, Y0
	VPMULLD Y12, Y0, Y0
	VPSRAD $16, Y8, Y1
	VPADDD Y1, Y0, Y0
	VPSRLD $4, Y8, Y1
	VPSRLD $4, Y9, Y2
	VPAND Y13, Y1, Y1
	VPAND Y13, Y2, Y2
	VMOVDQU Y0, at-96(SP)
	VMOVDQU Y1, atX-64(SP)
	VMOVDQU Y2, atY-32(SP)
	VPADDD Y10, Y8, Y8
	VPADDD Y11, Y9, Y9
	BOX(0, X0)
	BOX(1, X1)
	BOX(2, X2)
	BOX(3, X3)
	FOUR(0)
	BOX(4, X0)
	BOX(5, X1)
	BOX(6, X2)
	BOX(7, X3)
	FOUR(4)
	ADDQ $8, DI
	JMP  boxes

boxesDone:
	VZEROUPPER
	RET

// BOX8 sums one box of up to 8 x 8 samples into the 4 lanes of X: two rows at a
// time, weighed by columns, then by rows. R11 is the stride, R12 three of it.
#define BOX8(i, X) \
	MOVL at-96+4*i(SP), AX         \
	MOVL atX-64+4*i(SP), DX        \
	MOVL atY-32+4*i(SP), R8        \
	SHLQ $2, R8                    \
	ADDQ SI, AX                    \
	LEAQ (AX)(R11*4), R13          \
	VMOVDQU (R9)(DX*1), X7         \
	VMOVQ (AX), X                  \
	VMOVHPS (AX)(R11*1), X, X      \
	VMOVQ (AX)(R11*2), X4          \
	VMOVHPS (AX)(R12*1), X4, X4    \
	VMOVQ (R13), X5                \
	VMOVHPS (R13)(R11*1), X5, X5   \
	VMOVQ (R13)(R11*2), X6         \
	VMOVHPS (R13)(R12*1), X6, X6   \
	VPMADDUBSW X, X7, X            \
	VPMADDUBSW X4, X7, X4          \
	VPMADDUBSW X5, X7, X5          \
	VPMADDUBSW X6, X7, X6          \
	VPMADDWD (R10)(R8*1), X, X     \
	VPMADDWD 16(R10)(R8*1), X4, X4 \
	VPMADDWD 32(R10)(R8*1), X5, X5 \
	VPMADDWD 48(R10)(R8*1), X6, X6 \
	VPADDD X4, X, X                \
	VPADDD X6, X5, X5              \
	VPADDD X5, X, X

// func boxes8(dst *byte, n int, patch *byte, stride int, u, v, du, dv int32, x *[256][16]uint8, y *[256][32]int16, table *[1024]byte)
TEXT ·boxes8(SB), NOSPLIT, $96-72
	MOVQ dst+0(FP), DI
	MOVQ n+8(FP), CX
	MOVQ patch+16(FP), SI
	MOVQ stride+24(FP), R11
	MOVQ x+48(FP), R9
	MOVQ y+56(FP), R10
	MOVQ table+64(FP), BX
	LEAQ (R11)(R11*2), R12
	VMOVD R11, X12
	VPBROADCASTD X12, Y12

	VMOVDQU steps<>(SB), Y0
	MOVL du+40(FP), AX
	VMOVD AX, X10
	VPBROADCASTD X10, Y10
	MOVL dv+44(FP), AX
	VMOVD AX, X11
	VPBROADCASTD X11, Y11
	VPMULLD Y10, Y0, Y1
	VPMULLD Y11, Y0, Y2
	MOVL u+32(FP), AX
	VMOVD AX, X8
	VPBROADCASTD X8, Y8
	MOVL v+36(FP), AX
	VMOVD AX, X9
	VPBROADCASTD X9, Y9
	VPADDD Y1, Y8, Y8
	VPADDD Y2, Y9, Y9
	VPSLLD $3, Y10, Y10
	VPSLLD $3, Y11, Y11

	MOVL $0xff0, AX
	VMOVD AX, X13
	VPBROADCASTD X13, Y13
	MOVL $0x20080000, AX
	VMOVD AX, X15
	VPBROADCASTD X15, Y15

wide:
	SUBQ $8, CX
	JLT  wideDone
	VPSRAD $16, Y9, Y0
	VPMULLD Y12, Y0, Y0
	VPSRAD $16, Y8, Y1
	VPADDD Y1, Y0, Y0
	VPSRLD $4, Y8, Y1
	VPSRLD $4, Y9, Y2
	VPAND Y13, Y1, Y1
	VPAND Y13, Y2, Y2
	VMOVDQU Y0, at-96(SP)
	VMOVDQU Y1, atX-64(SP)
	VMOVDQU Y2, atY-32(SP)
	VPADDD Y10, Y8, Y8
	VPADDD Y11, Y9, Y9
	BOX8(0, X0)
	BOX8(1, X1)
	BOX8(2, X2)
	BOX8(3, X3)
	FOUR(0)
	BOX8(4, X0)
	BOX8(5, X1)
	BOX8(6, X2)
	BOX8(7, X3)
	FOUR(4)
	ADDQ $8, DI
	JMP  wide

wideDone:
	VZEROUPPER
	RET

// func sumRows(even, odd *byte, src *byte, stride, rows, n int, shift uint)
TEXT ·sumRows(SB), NOSPLIT, $0-56
	MOVQ even+0(FP), DI
	MOVQ odd+8(FP), DX
	MOVQ src+16(FP), SI
	MOVQ stride+24(FP), R8
	MOVQ rows+32(FP), R9
	MOVQ n+40(FP), CX
	MOVQ shift+48(FP), AX
	VMOVQ AX, X13
	VPCMPEQW Y15, Y15, Y15
	VPSRLW   $8, Y15, Y15

words:
	SUBQ $64, CX
	JLT  wordsDone
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	VPXOR Y2, Y2, Y2
	VPXOR Y3, Y3, Y3
	MOVQ SI, R10
	MOVQ R9, R11

rows:
	DECQ R11
	JLT  rowsDone
	VMOVDQU (R10), Y4
	VMOVDQU 32(R10), Y5
	VPAND Y15, Y4, Y6
	VPAND Y15, Y5, Y7
	VPSRLW $8, Y4, Y4
	VPSRLW $8, Y5, Y5
	VPADDW Y6, Y0, Y0
	VPADDW Y7, Y1, Y1
	VPADDW Y4, Y2, Y2
	VPADDW Y5, Y3, Y3
	ADDQ R8, R10
	JMP  rows

rowsDone:
	VPSLLW X13, Y0, Y0
	VPSLLW X13, Y1, Y1
	VPSLLW X13, Y2, Y2
	VPSLLW X13, Y3, Y3
	VMOVDQU Y0, (DI)
	VMOVDQU Y1, 32(DI)
	VMOVDQU Y2, (DX)
	VMOVDQU Y3, 32(DX)
	ADDQ $64, SI
	ADDQ $64, DI
	ADDQ $64, DX
	JMP  words

wordsDone:
	VZEROUPPER
	RET

// func sumRowsInOrder(sums *byte, src *byte, stride, rows, n int, shift uint)
TEXT ·sumRowsInOrder(SB), NOSPLIT, $0-48
	MOVQ sums+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ stride+16(FP), R8
	MOVQ rows+24(FP), R9
	MOVQ n+32(FP), CX
	MOVQ shift+40(FP), AX
	VMOVQ AX, X13

orderedWords:
	SUBQ $64, CX
	JLT  orderedWordsDone
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	VPXOR Y2, Y2, Y2
	VPXOR Y3, Y3, Y3
	MOVQ SI, R10
	MOVQ R9, R11

orderedRows:
	DECQ R11
	JLT  orderedRowsDone
	VPMOVZXBW (R10), Y4
	VPMOVZXBW 16(R10), Y5
	VPMOVZXBW 32(R10), Y6
	VPMOVZXBW 48(R10), Y7
	VPADDW Y4, Y0, Y0
	VPADDW Y5, Y1, Y1
	VPADDW Y6, Y2, Y2
	VPADDW Y7, Y3, Y3
	ADDQ R8, R10
	JMP  orderedRows

orderedRowsDone:
	VPSLLW X13, Y0, Y0
	VPSLLW X13, Y1, Y1
	VPSLLW X13, Y2, Y2
	VPSLLW X13, Y3, Y3
	VMOVDQU Y0, (DI)
	VMOVDQU Y1, 32(DI)
	VMOVDQU Y2, 64(DI)
	VMOVDQU Y3, 96(DI)
	ADDQ $64, SI
	ADDQ $128, DI
	JMP  orderedWords

orderedWordsDone:
	VZEROUPPER
	RET

// func blocksPacked(dst *byte, n int, data *byte, stride, pitch int, u, v, du, dv, nextU, nextV int64)
TEXT ·blocksPacked(SB), NOSPLIT, $0-88
	MOVQ dst+0(FP), DI
	MOVQ n+8(FP), CX
	MOVQ data+16(FP), SI
	MOVQ stride+24(FP), R12
	MOVQ pitch+32(FP), R13
	MOVQ u+40(FP), R8
	MOVQ v+48(FP), R9
	MOVQ du+56(FP), R10
	MOVQ dv+64(FP), R11
	MOVQ nextU+72(FP), R14
	MOVQ nextV+80(FP), R15
	VPCMPEQW X7, X7, X7
	VPSRLW   $8, X7, X7     // 00ff in each word
	VPCMPEQW X6, X6, X6
	VPSRLW   $15, X6, X6    // 1 in each word

block:
	DECQ CX
	JLT  blocksDone

	// The block of this column in the next row of the patch.
	LEAQ (R8)(R14*1), AX
	LEAQ (R9)(R15*1), BX
	SARQ $32, AX
	SARQ $32, BX
	IMULQ R12, BX
	LEAQ (BX)(AX*2), AX
	ADDQ SI, AX
	LEAQ (AX)(R13*2), BX
	PREFETCHT0 (AX)
	PREFETCHT0 (AX)(R13*1)
	PREFETCHT0 (BX)
	PREFETCHT0 (BX)(R13*1)

	MOVQ R8, AX
	MOVQ R9, BX
	SARQ $32, AX
	SARQ $32, BX
	IMULQ R12, BX
	LEAQ (BX)(AX*2), AX
	ADDQ SI, AX
	LEAQ (AX)(R13*2), BX
	VPAND (AX), X7, X0
	VPAND (AX)(R13*1), X7, X1
	VPAND (BX), X7, X2
	VPAND (BX)(R13*1), X7, X3
	VPADDW X1, X0, X0
	VPADDW X3, X2, X2
	VPADDW X2, X0, X0
	VPMADDWD X6, X0, X0     // 4 sums of 8 samples
	VPSHUFD $0x4e, X0, X1
	VPADDD X1, X0, X0
	VPSHUFD $0xb1, X0, X1
	VPADDD X1, X0, X0
	VMOVD X0, AX
	ADDL $16, AX
	SHRL $5, AX
	MOVB AX, (DI)
	INCQ DI
	ADDQ R10, R8
	ADDQ R11, R9
	JMP  block

blocksDone:
	VZEROUPPER
	RET

// func fetchLines(at *byte, stride, rows int)
TEXT ·fetchLines(SB), NOSPLIT, $0-24
	MOVQ at+0(FP), SI
	MOVQ stride+8(FP), R8
	MOVQ rows+16(FP), CX

fetch:
	DECQ CX
	JLT  fetched
	PREFETCHT0 (SI)
	ADDQ R8, SI
	JMP  fetch

fetched:
	RET

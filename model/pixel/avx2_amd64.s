#include "textflag.h"

// LUMA reads 32 packed samples at (R10), each less 128, in the order that
// VPACKUSWB leaves them in; B is overwritten.
#define LUMA(A, B) \
	VMOVDQU (R10), A   \
	VMOVDQU 32(R10), B \
	VPSRLW X12, A, A   \
	VPSRLW X12, B, B   \
	VPAND Y15, A, A    \
	VPAND Y15, B, B    \
	VPACKUSWB B, A, A  \
	VPXOR Y14, A, A

// func lumaPairsPacked(dst, src *byte, n, rows, dstStride, srcStride int, shift uint)
TEXT ·lumaPairsPacked(SB), NOSPLIT, $0-56
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

packedPairs:
	SUBQ $32, CX
	JLT  packedPairsDone
	MOVQ SI, R10
	MOVQ DI, R11
	MOVQ DX, BX
	LUMA(Y0, Y3)

packedPairRow:
	DECQ BX
	JLT  packedPairsNext
	ADDQ R9, R10
	LUMA(Y1, Y3)
	VPUNPCKLBW Y1, Y0, Y2   // VPACKUSWB and this both work in halves: all is in order
	VPUNPCKHBW Y1, Y0, Y3
	VMOVDQU Y2, (R11)
	VMOVDQU Y3, 32(R11)
	VMOVDQA Y1, Y0
	ADDQ R8, R11
	JMP  packedPairRow

packedPairsNext:
	ADDQ $64, SI
	ADDQ $64, DI
	JMP  packedPairs

packedPairsDone:
	VZEROUPPER
	RET

// func lumaPairsPlanar(dst, src *byte, n, rows, dstStride, srcStride int)
TEXT ·lumaPairsPlanar(SB), NOSPLIT, $0-48
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	MOVQ rows+24(FP), DX
	MOVQ dstStride+32(FP), R8
	MOVQ srcStride+40(FP), R9
	VPCMPEQB Y13, Y13, Y13
	VPABSB   Y13, Y13
	VPSLLW   $7, Y13, Y14

planarPairs:
	SUBQ $32, CX
	JLT  planarPairsDone
	MOVQ SI, R10
	MOVQ DI, R11
	MOVQ DX, BX
	VPXOR (R10), Y14, Y0
	VPERMQ $0xd8, Y0, Y0    // VPUNPCKLBW works in halves

planarPairRow:
	DECQ BX
	JLT  planarPairsNext
	ADDQ R9, R10
	VPXOR (R10), Y14, Y1
	VPERMQ $0xd8, Y1, Y1
	VPUNPCKLBW Y1, Y0, Y2
	VPUNPCKHBW Y1, Y0, Y3
	VMOVDQU Y2, (R11)
	VMOVDQU Y3, 32(R11)
	VMOVDQA Y1, Y0
	ADDQ R8, R11
	JMP  planarPairRow

planarPairsNext:
	ADDQ $32, SI
	ADDQ $64, DI
	JMP  planarPairs

planarPairsDone:
	VZEROUPPER
	RET

// CORNER reads the box that o says into X, its first two rows into the low half, and
// leaves where its weights lie in DX and AX.
#define CORNER(o, X) \
	MOVQ o(R15), AX           \
	MOVL AX, DX               \
	VMOVQ (SI)(DX*2), X       \
	VMOVHPS (R11)(DX*2), X, X \
	SHRQ $32, AX              \
	MOVWLZX AX, DX            \
	SHRL $16, AX

// BOXES sums two boxes, one into the 4 lanes of each half of Y: weighed by rows
// (unsigned weights, signed samples), then by columns.
#define BOXES(o, p, X, Y) \
	CORNER(o, X)                        \
	VMOVDQU (R10)(AX*1), X5             \
	VMOVDQU (R9)(DX*1), X6              \
	CORNER(p, X7)                       \
	VINSERTI128 $1, X7, Y, Y            \
	VINSERTI128 $1, (R10)(AX*1), Y5, Y5 \
	VINSERTI128 $1, (R9)(DX*1), Y6, Y6  \
	VPMADDUBSW Y, Y5, Y                 \
	VPMADDWD Y6, Y, Y

// LANES adds the lanes of each half of A, B, C and D and puts the sums into the lanes
// of S, in that order; E to H are overwritten. VPHADDD would be shorter and takes
// longer.
#define LANES(A, B, C, D, E, F, G, H, S) \
	VPBLENDD $0xaa, B, A, E \
	VPBLENDD $0xaa, A, B, F \
	VPBLENDD $0xaa, D, C, G \
	VPBLENDD $0xaa, C, D, H \
	VPSHUFD $0xb1, F, F     \
	VPSHUFD $0xb1, H, H     \
	VPADDD F, E, E          \
	VPADDD H, G, G          \
	VPBLENDD $0xcc, G, E, F \
	VPALIGNR $8, E, G, E    \
	VPADDD F, E, S

// ELEMENTS puts the elements that the quantiser at BX makes of 8 sums in Y0 to (DI).
#define ELEMENTS \
	VPADDD Y15, Y0, Y0       \
	VPSRLD $20, Y0, Y0       \
	VCVTDQ2PS Y0, Y0         \
	VADDPS (BX), Y0, Y0      \
	VMULPS 32(BX), Y0, Y0    \
	VCVTPS2DQ Y0, Y0         \
	VPADDD 64(BX), Y0, Y0    \
	VEXTRACTI128 $1, Y0, X1  \
	VPACKSSDW X1, X0, X0     \
	VPACKSSWB X0, X0, X0     \
	VPXOR 96(BX), X0, X0     \
	VMOVQ X0, (DI)

DATA steps<>+0(SB)/4, $0
DATA steps<>+4(SB)/4, $1
DATA steps<>+8(SB)/4, $2
DATA steps<>+12(SB)/4, $3
DATA steps<>+16(SB)/4, $4
DATA steps<>+20(SB)/4, $5
DATA steps<>+24(SB)/4, $6
DATA steps<>+28(SB)/4, $7
GLOBL steps<>(SB), RODATA|NOPTR, $32

// NEXT puts what CORNER reads of 8 boxes into 64 bytes at R15: of each where it lies,
// which is needed first, and its phases times 16 in two words. Boxes 0, 1, 4 and 5 come
// before the others. That is done 8 boxes ahead, since a load waits long for a store
// that has not left the processor yet; and in whole cache lines, since it waits longer
// for one across two.
#define NEXT \
	VPSRAD $16, Y9, Y0            \
	VPMULLD Y12, Y0, Y0           \
	VPSRAD $16, Y8, Y1            \
	VPADDD Y1, Y0, Y0             \
	VPSRLD $4, Y8, Y1             \
	VPSLLD $12, Y9, Y2            \
	VPBLENDW $0xaa, Y2, Y1, Y1    \
	VPAND Y13, Y1, Y1             \
	VPUNPCKLDQ Y1, Y0, Y2         \
	VPUNPCKHDQ Y1, Y0, Y3         \
	VMOVDQU Y2, (R15)             \
	VMOVDQU Y3, 32(R15)           \
	VPADDD Y10, Y8, Y8            \
	VPADDD Y11, Y9, Y9

// func boxes4(dst *byte, n int, patch *byte, stride int, u, v, du, dv int32, x *[256][8]int16, y *[256][16]uint8, q *quantiser, ahead *byte, aheadStride, aheadStep int)
TEXT ·boxes4(SB), NOSPLIT, $256-96
	MOVQ ahead+72(FP), R14
	MOVQ aheadStride+80(FP), R12
	MOVQ aheadStep+88(FP), R13
	MOVQ dst+0(FP), DI
	MOVQ n+8(FP), CX
	MOVQ patch+16(FP), SI
	MOVQ stride+24(FP), R8
	MOVQ x+48(FP), R9
	MOVQ y+56(FP), R10
	MOVQ q+64(FP), BX
	LEAQ (SI)(R8*4), R11        // two rows further
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

	MOVL $0x0ff00ff0, AX        // 1/256 samples, times the tables' 16 bytes
	VMOVD AX, X13
	VPBROADCASTD X13, Y13
	MOVL $0x20080000, AX        // 128 once more, and a half to round: 2^29 + 2^19
	VMOVD AX, X15
	VPBROADCASTD X15, Y15
	LEAQ at-129(SP), R15
	ANDQ $~127, R15             // 128 bytes of the frame, the two halves in turn
	NEXT

boxes:
	SUBQ $8, CX
	JLT  boxesDone
	PREFETCHT0 (R14)
	PREFETCHT0 (R14)(R12*1)
	PREFETCHT0 (R14)(R12*2)
	ADDQ R13, R14
	XORQ $64, R15
	NEXT
	XORQ $64, R15
	BOXES(0, 16, X0, Y0)
	BOXES(8, 24, X1, Y1)
	BOXES(32, 48, X2, Y2)
	BOXES(40, 56, X3, Y3)
	LANES(Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, Y0)
	ELEMENTS
	XORQ $64, R15
	ADDQ $8, DI
	JMP  boxes

boxesDone:
	VZEROUPPER
	RET

// BOX8 sums one box of up to 8 x 8 samples into the 4 lanes of X: two rows at a
// time, weighed by rows, then all of them by columns. R11 is two rows, R12 six.
#define BOX8(i, X) \
	MOVL at-96+4*i(SP), AX         \
	MOVL atX-64+4*i(SP), DX        \
	MOVL atY-32+4*i(SP), R8        \
	SHLQ $2, R8                    \
	LEAQ (SI)(AX*2), AX            \
	VMOVDQU (R10)(R8*1), X         \
	VMOVDQU 16(R10)(R8*1), X4      \
	VMOVDQU 32(R10)(R8*1), X5      \
	VMOVDQU 48(R10)(R8*1), X6      \
	VPMADDUBSW (AX), X, X          \
	VPMADDUBSW (AX)(R11*1), X4, X4 \
	VPMADDUBSW (AX)(R11*2), X5, X5 \
	VPMADDUBSW (AX)(R12*1), X6, X6 \
	VPADDW X4, X, X                \
	VPADDW X6, X5, X5              \
	VPADDW X5, X, X                \
	VPMADDWD (R9)(DX*1), X, X

// func boxes8(dst *byte, n int, patch *byte, stride int, u, v, du, dv int32, x *[256][8]int16, y *[256][64]uint8, q *quantiser)
TEXT ·boxes8(SB), NOSPLIT, $96-72
	MOVQ dst+0(FP), DI
	MOVQ n+8(FP), CX
	MOVQ patch+16(FP), SI
	MOVQ stride+24(FP), R8
	MOVQ x+48(FP), R9
	MOVQ y+56(FP), R10
	MOVQ q+64(FP), BX
	VMOVD R8, X12
	VPBROADCASTD X12, Y12
	LEAQ (R8)(R8*2), R12
	SHLQ $2, R8
	MOVQ R8, R11
	SHLQ $2, R12

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
	LANES(X0, X1, X2, X3, X4, X5, X6, X7, X14)
	BOX8(4, X0)
	BOX8(5, X1)
	BOX8(6, X2)
	BOX8(7, X3)
	LANES(X0, X1, X2, X3, X4, X5, X6, X7, X0)
	VINSERTI128 $1, X0, Y14, Y0
	ELEMENTS
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

// func wholeColumns(dst *byte, n int, sums *byte, each int, gain, offset, low, high float32)
TEXT ·wholeColumns(SB), NOSPLIT, $0-48
	MOVQ dst+0(FP), DI
	MOVQ n+8(FP), CX
	MOVQ sums+16(FP), SI
	MOVQ each+24(FP), R8
	VBROADCASTSS gain+32(FP), X10
	VBROADCASTSS offset+36(FP), X11
	VBROADCASTSS low+40(FP), X12
	VBROADCASTSS high+44(FP), X13
	MOVQ $8, AX
	SUBQ R8, AX
	LEAQ ones<>(SB), R9
	VMOVDQU (R9)(AX*2), X14     // 1 for each word that counts
	VPCMPEQW X15, X15, X15
	VPSLLW $15, X15, X15        // 8000 in each word: the sums are unsigned, VPMADDWD is not
	SHLQ $1, R8
	LEAQ (R8)(R8*2), R9

columns:
	SUBQ $4, CX
	JLT  columnsDone
	VPXOR (SI), X15, X0
	VPXOR (SI)(R8*1), X15, X1
	VPXOR (SI)(R8*2), X15, X2
	VPXOR (SI)(R9*1), X15, X3
	VPMADDWD X14, X0, X0
	VPMADDWD X14, X1, X1
	VPMADDWD X14, X2, X2
	VPMADDWD X14, X3, X3
	VPHADDD X1, X0, X0
	VPHADDD X3, X2, X2
	VPHADDD X2, X0, X0
	VCVTDQ2PS X0, X0
	VMULPS X10, X0, X0
	VADDPS X11, X0, X0
	VMAXPS X12, X0, X0
	VMINPS X13, X0, X0
	VPSHUFD $0x40, X0, X1       // each three times
	VPSHUFD $0xa5, X0, X2
	VPSHUFD $0xfe, X0, X3
	VMOVDQU X1, (DI)
	VMOVDQU X2, 16(DI)
	VMOVDQU X3, 32(DI)
	LEAQ (SI)(R8*4), SI
	ADDQ $48, DI
	JMP  columns

columnsDone:
	VZEROUPPER
	RET

DATA ones<>+0(SB)/8, $0x0001000100010001
DATA ones<>+8(SB)/8, $0x0001000100010001
DATA ones<>+16(SB)/8, $0
DATA ones<>+24(SB)/8, $0
GLOBL ones<>(SB), RODATA|NOPTR, $32

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

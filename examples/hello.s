# hello.s - a whole program by hand: a 2 x 4 matrix product on one tile, 32 numbers deep.
#
# A has rows of 0.5 and of 1.0, B has rows of 1, 2, 4 and 8. So A times B transposed is
#    16 32  64 128
#    32 64 128 256
# Both are made here, since HBM starts with zeros; a compiled program loads its weights with LD.

.info chip_name="silex-one" n_tiles=1 spm_bytes=65536 acc_cells=2048 max_m=32 token_max=15
.region name="out" kind=logits base=0x1000 bytes=4096
.group name="ALL" first=0 count=1

.equ A   0x0000         # fp32 [2][32]
.equ B   0x0100         # fp32 [4][32]
.equ AQ  0x0400         # MXINT8 codes [2][32], then scales
.equ AS  0x0440
.equ BQ  0x0480         # one tile: codes [4][32], then scales at the next multiple of 64
.equ BS  BQ+128
.equ Y   0x0600         # fp32 [2][4]

    VUN.fill [A], (1,32), <0,0,0>, 0.5
    VUN.fill [A+128], (1,32), <0,0,0>, 1.0
    LI  r6, 0x3f800000                      # 1.0
    LOOP 4, rows_end, r5                    # r5 = 0 .. 3
      ALU.mul  r7, r5, 128                  # bytes of a row
      VUN.fill [r7+B], (1,32), <0,0,0>, r6
      ALU.add  r6, r6, 0x800000             # the exponent one up: twice the value
rows_end:
    VCVT.mxint8.f32 [AQ], [AS], [A], (2,32), <0,0,0>
    VCVT.mxint8.f32 [BQ], [BS], [B], (4,32), <0,0,0>                   post=t1
    MM.mxint8.mxint8 acc0, [AQ], [AS], [BQ], (2,4), (1,1) INIT         wait=t1
    AOUT.fp32 [Y], acc0, (2,4), 16, 0.0                                post=t2
    ST  [out], [Y], 32, 1, 32, 32                                      wait=t2
    SYS.halt

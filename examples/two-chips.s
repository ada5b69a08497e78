# two-chips.s - two chips meet twice: RED adds what each has, GAT brings together what each has.
#
# One program runs on both; r2 is the chip's rank. Chip r makes a row of four values, 1.0 on chip 0 and 2.0 on
# chip 1, and
#   RED   leaves their sum on both:                    3 3 3 3
#   GAT   leaves chip 0's row, then chip 1's, on both: 1 1 1 1 2 2 2 2
# Try: silex exec examples/two-chips.s --rank 1 --show out:f32:3x4

.info chip_name="silex-1" n_tiles=1 spm_bytes=4096 token_max=15 n_chips=2
.region name="out" kind=logits base=0x1000 bytes=4096
.group name="ALL" first=0 count=1

.equ MINE 0x000         # fp32 [4]
.equ SUM  0x040         # fp32 [4]
.equ BOTH 0x080         # fp32 [2][4]

    ALU.mul  r5, r2, 0x800000               # the exponent one up: twice the value
    LI       r6, 0x3f800000                 # 1.0
    ALU.add  r6, r6, r5
    VUN.fill [MINE], (1,4), <0,0,0>, r6                                post=t1
    RED.sum  [SUM], [MINE], 4, ALL                                     wait=t1
    GAT      [BOTH], [MINE], 16, 1, ALL                                post=t2
    ST       [out], [SUM], 16, 1, 16, 16                               wait=t2
    ST       [out+16], [BOTH], 32, 1, 32, 32
    SYS.halt

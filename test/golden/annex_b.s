# A decode linear layer of one tile: slices of 32 rows over 18 blocks, weights double-buffered.
.info n_tiles=1 spm_bytes=0x200000 acc_cells=65536 max_m=256 token_max=255
.region name="weights" kind=weights base=0x1000 bytes=0x100000
.region name="x" kind=exchange base=0x200000 bytes=4096
.group name="ALL" count=1
.equ SLICE_BYTES 11520
.equ WBUF     0x10000
.equ BUFBYTES 0x3000
.equ ABUF     0x100
.equ ASCL     0x1000
.equ YBUF     0x8000
.equ XBUF     0x9000

step:
TOK  t2, 2                        # two free weight buffers
TOK  t4, 1                        # one free YBUF
LI   r20, weights
LI   r21, 0
LI   r4, 1
LOOP 10, done, r5                 # this tile's N slices
  ALU.add  r9, r5, r21            # r21: this tile's first slice
  ALU.mul  r6, r9, SLICE_BYTES
  ALU.add  r6, r6, r20
  ALU.mul  r10, r9, 128           # 32 columns of fp32
  ALU.and  r7, r5, 1              # buffer select
  ALU.mul  r8, r7, BUFBYTES
  LD   [r8+WBUF], [r6], SLICE_BYTES, 1, 0, 0                                    wait=t2 post=t1
  MM.q4sm.mxint8 acc0, [ABUF], [ASCL], [r8+WBUF], (r4,32), (18,18) INIT G=4     wait=t1 post=t2
  AOUT.fp32 [YBUF], acc0, (r4,32), 128, 0                                       wait=t4 post=t3
  MOV  [YBUF], [r10+XBUF], 128, r4, (2,36) to=ALL                               wait=t3 post=t4
done:
BAR  ALL post=t5                  # then XBUF is whole on every tile
SYS.halt
.entry step

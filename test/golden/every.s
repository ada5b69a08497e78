# Every instruction, every kind of operand, every option once.
.info chip_name="any" n_tiles=4 spm_bytes=65536 acc_cells=2048 max_m=32 token_max=15 rope_base=10000.0
.desc max_rows=8 max_samples=1 max_seqs=1 max_pages=2 max_items=4 item_rows=4
.region name="weights" kind=weights base=0 bytes=0x10000
.region name="rope" kind=rope base=0x10000 bytes=0x1000
.region name="desc" kind=descriptor base=0x11000 bytes=0x1000
.region name="kv" kind=kv base=0x12000 bytes=0x1000
.region name="x" kind=exchange base=0x13000 bytes=0x1000
.region name="logits" kind=logits base=0x100000000 bytes=0x1000
.group name="ALL" count=4
.group name="HALF" first=2 count=2
.weight tensor="a.weight" layout=slices fmt=q4s n=60 k=64 n_pad=64 kblk=2 ns=32 pieces=2 addr=0 bytes=2304
.weight tensor="b.weight" layout=vector fmt=f32 n=1 k=32 n_pad=1 addr=0x1000 bytes=128
.entry go
.function sub
.span tmpl=0 count=3 name="first" param=1,2,0x1000
go: SYS.nop
    SYS.stamp r5-3
    SYS.trap r5, 4
    LI r6, logits
    ALU.sel r7, 1, 2, r6
    LDS.u64 r7, [r1+64], r6 UNI
    STS.u8 [64], 255 wait=t1
    LOOP r7, out
    LOOP 2, out, r8
    BR.geu r8, 1, out
    SYS.nop
out:
    CALL 0
    TOK t63, 15
    LD [0], [desc], 64, 1, 0, 0 to=HALF
    LDX [0], [kv], [64], r7, 128, 256 post=none,t9
    ST [r6], [0], 4, 4, 4, 4
    STX [kv], [0], [64], 3, 128, 256
    MOV [0], r1+1, [128], 64, 1, (1,1)
    BAR HALF wait=t3,t4 post=t5,t6
    MM.mxint8.mxint8 acc0, [0], [0x40], [0x80], (1,32), (1,1)
    MM.q8s.mxint8 acc[r5], [0], [0x40], [0x80], {r5-1}, (1,1) INIT ROM G=8
    MM.mxint8.mxint8 acc0, [0], [0x40], [0x80], (1,32), (1,1) INIT BT
    AADD acc64, acc0, acc32, 32
    AOUT.bf16 [0], acc0, (1,32), 64, 0.18033688
    VBIN.div.scalar [0], [0], [128], (1,32), <0,1,2>
    VFMA [0], [128], [256], [384], (1,32)
    VUN.silu [0], [0], (1,32), {r5+1}
    VUN.fill [0], (1,32), <0,0,0>, r6
    VRED.argmax [0], [128], (1,32), <0,2,0>
    VNRM.rms [0], [128], [256], 1e-5, (1,32), <0,0,0>
    VROT.interleaved [0], [128], [256], (3,32), (3,32), <2,2,0>
    VCVT.mxint8.f32 [0], [64], [128], (1,32), <0,0,0> ROW
    VCVT.mxint8.f32 [0], [64], [128], [256], (1,32), <0,0,0> COL
    VCVT.f32.q4sm [0], [64], [128], (1,32), <0,0,0>
    VSEL.bitmask [0], [128], [256], (1,32), 0, <0,0,0>
    VSMX [0], [128], [256], [384], (1,32), r5 H=3
    VMRG.empty [0], [64], (1,32)
    VMRG.merge [0], [64], [128], [192], (1,32)
    VTOPK [0], [64], [128], (1,32), 4, r5
    VSAMP [0], [64], [128], [192], (1,4)
    VTRN.b2 [0], [128], (4,32)
    VGAT.gather [0], [128], [256], r5, 64, 8
    RED.sum [0], [128], r5, ALL wait=t7 post=t8
    GAT [0], [128], 64, r5+1, ALL
    SYS.halt
sub: RET

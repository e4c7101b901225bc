/* Loops whose cycles others have measured: tests/bench/timing/probes.tsv has what they found, and names what is here.
 *
 *   LOOP(name, before, body, finish, after)	the body goes round r3 times
 *   ARRANGED(...)				the same, of which probes.c says how it runs
 *   CODE(name, text)				all of a function
 *
 * r3: rounds, r4: what probes.c passes. Free: r0 and r5 to r12, CR, CTR, VSR 0. A round ends with addi, cmpdi
 * and bne, which are of the figure, as they are of what was measured. `after` stands behind the function's return. */
#define X4(s) s s s s
#define X8(s) X4(s) X4(s)
#define AT(reg, label) "lis " #reg "," #label "@h\n ori " #reg "," #reg "," #label "@l\n"
#define ALIGN16 ".balign 16\n"
#define ALIGN32 ".balign 32\n"

/* ---- Width and latency ---- */
LOOP(loop_bne, "", "addi 5,5,1\n", "", "")
CODE(loop_bdnz, "mtctr 3\n .balign 128\n 1: addi 5,5,1\n bdnz 1b\n blr\n")
CODE(loop_b, ".balign 128\n 1: addi 5,5,1\n addi 3,3,-1\n cmpdi 3,0\n beq 2f\n b 1b\n 2: blr\n")
LOOP(add_chain, "", X8("add 5,5,6\n"), "", "")
LOOP(add_chains_2, "", X4("add 5,5,6\n add 7,7,6\n"), "", "")
#define ADDS8 "add 4,4,12\n add 5,5,12\n add 6,6,12\n add 7,7,12\n add 8,8,12\n add 9,9,12\n add 10,10,12\n add 11,11,12\n"
LOOP(add_8, "", ADDS8, "", "")
LOOP(add_16, "", ADDS8 ADDS8, "", "")
LOOP(add_64, "", X8(ADDS8), "", "")
LOOP(mulld_chain, "", X8("mulld 5,5,6\n"), "", "")
ARRANGED(ld_chain, "ld 5,8(4)\n", X8("ld 5,0(5)\n"), "std 5,8(4)\n", "")
LOOP(nops, "", ".rept 2048\n nop\n .endr\n", "", "")
ARRANGED(nops_far, "", "b 3f\n 4:\n", "", "3: .rept 32768\n nop\n .endr\n b 4b\n")

/* ---- Carry and condition registers ---- */
LOOP(addc_addze, "", X8("addc 5,5,6\n addze 5,5\n"), "", "")
LOOP(cmpld_isel, "", X8("add 7,5,6\n cmpld 7,7,5\n isel 5,6,7,28\n"), "", "")
LOOP(mfocrf_mtocrf, "", X8("add 7,5,6\n cmpld 7,7,5\n mfocrf 8,1\n mtocrf 1,8\n isel 5,6,7,28\n"), "", "")
LOOP(mfcr_mtcrf, "", X8("add 7,5,6\n cmpld 7,7,5\n mfcr 8\n mtcrf 255,8\n isel 5,6,7,28\n"), "", "")
LOOP(mcrxrx, "", X8("addc 7,5,6\n mcrxrx 7\n isel 5,6,7,30\n"), "", "")
LOOP(mfxer, "", X8("addc 5,5,6\n mfxer 7\n rlwinm 7,7,3,31,31\n add 5,5,7\n"), "", "")
LOOP(srdi, "", X8("add 7,5,6\n srdi 8,7,32\n rldicl 5,7,0,32\n add 5,5,8\n"), "", "")
LOOP(add_record, "", X8("add. 5,5,6\n"), "", "")
LOOP(add_record_isel, "", X8("add. 5,5,6\n isel 5,6,5,2\n"), "", "")
LOOP(crc, "", "xor 7,5,6\n rldicl 7,7,0,60\n sldi 7,7,3\n ldx 7,4,7\n srdi 5,5,8\n xor 5,5,7\n addi 6,6,1\n addi 8,8,1\n", "", "")

/* ---- From store to load ---- */
LOOP(lwz_stw, "", "lwz 5,0(4)\n addi 5,5,1\n stw 5,0(4)\n", "", "")
LOOP(ld_std, "", "ld 5,0(4)\n addi 5,5,1\n std 5,0(4)\n", "", "")
LOOP(std_lwz, "", "lwz 5,0(4)\n addi 5,5,1\n std 5,0(4)\n", "", "")
LOOP(stw_ld, "", "ld 5,0(4)\n addi 5,5,1\n stw 5,0(4)\n", "", "")
LOOP(stw_stw_ld, "", "ld 5,0(4)\n addi 5,5,1\n stw 5,0(4)\n srdi 6,5,32\n stw 6,4(4)\n", "", "")
LOOP(cross_8, "", "ld 5,4(4)\n addi 5,5,1\n std 5,4(4)\n", "", "")
LOOP(cross_32, "", "ld 5,28(4)\n addi 5,5,1\n std 5,28(4)\n", "", "")
LOOP(stvx_lvx, "", "lvx 0,0,4\n stvx 0,0,4\n", "", "")
LOOP(larx_stcx, "", "2: lwarx 5,0,4\n addi 5,5,1\n stwcx. 5,0,4\n bne- 2b\n", "", "")
LOOP(larx_stcx_ordered, "", "lwsync\n 2: lwarx 5,0,4\n addi 5,5,1\n stwcx. 5,0,4\n bne- 2b\n isync\n", "", "")
LOOP(lwz_stw_lwsync, "", "lwz 5,0(4)\n addi 5,5,1\n stw 5,0(4)\n lwsync\n", "", "")
LOOP(lwz_stw_sync, "", "lwz 5,0(4)\n addi 5,5,1\n stw 5,0(4)\n sync\n", "", "")

/* ---- Constants ---- */
#define CONSTANT(to) "lis " #to ",0x1234\n ori " #to "," #to ",0x5678\n sldi " #to "," #to ",32\n oris " #to "," #to ",0x90ab\n ori " #to "," #to ",0xcdef\n"
LOOP(constants, "", CONSTANT(9) "add 5,5,9\n" CONSTANT(9) "add 6,6,9\n" CONSTANT(9) "add 7,7,9\n" CONSTANT(9) "add 8,8,9\n", "", "")
LOOP(constant_chain, "li 6,0\n", "and 9,5,6\n addis 9,9,0x1234\n ori 9,9,0x5678\n sldi 9,9,32\n oris 9,9,0x90ab\n ori 9,9,0xcdef\n add 5,5,9\n", "", "")
LOOP(pool, "", "ld 9,0(4)\n add 5,5,9\n ld 9,0(4)\n add 6,6,9\n ld 9,0(4)\n add 7,7,9\n ld 9,0(4)\n add 8,8,9\n", "", "")
LOOP(pool_chain, "li 6,0\n", "and 9,5,6\n ldx 9,4,9\n add 5,5,9\n", "", "")

/* ---- Branches ---- */
LOOP(blocks, "", "addi 5,5,1\n b 2f\n" ALIGN32 "2: addi 5,5,1\n b 3f\n" ALIGN32 "3: addi 5,5,1\n b 4f\n" ALIGN32 "4: addi 5,5,1\n", "", "")
LOOP(b_chain, "", "b 2f\n" ALIGN16 "2: b 3f\n" ALIGN16 "3: b 4f\n" ALIGN16 "4: b 5f\n" ALIGN16 "5: b 6f\n" ALIGN16 "6: b 7f\n" ALIGN16
     "7: b 8f\n" ALIGN16 "8: b 9f\n" ALIGN16 "9: addi 5,5,1\n", "", "")
LOOP(bc_not_taken, "cmpdi 7,3,0\n", X8("beq 7,9f\n") "addi 5,5,1\n", "9:\n", "")
LOOP(bc_spread, "cmpdi 7,3,0\n", X8("beq 7,9f\n addi 6,6,1\n addi 7,7,1\n addi 8,8,1\n") "addi 5,5,1\n", "9:\n", "")
LOOP(bctr_one, AT(6, 2f), "mtctr 6\n bctr\n" ALIGN32 "2: addi 5,5,1\n", "", "")
LOOP(bctr_shared, AT(6, 2f) AT(7, 3f), "mtctr 6\n bctr\n 2: mtctr 7\n bctr\n 3: addi 5,5,1\n", "", "")
LOOP(bctr_apart, AT(6, 2f) AT(7, 3f), "mtctr 6\n bctr\n" ALIGN32 "2: mtctr 7\n bctr\n" ALIGN32 "3: addi 5,5,1\n", "", "")
#define RING(n) AT(6, 2f) ALIGN32 "2: .rept " #n "\n addi 6,6,32\n mtctr 6\n bctr\n" ALIGN32 ".endr\n"
LOOP(ring_64, "", RING(64), "", "")
LOOP(ring_254, "", RING(254), "", "")
LOOP(ring_320, "", RING(320), "", "")
LOOP(ring_512, "", RING(512), "", "")
LOOP(bl_blr, "", "bl 5f\n", "", ALIGN32 "5: addi 5,5,1\n blr\n")
#define NEST(n) \
	LOOP(nest_##n, "addi 12,1,-288\n", "li 6," #n "\n bl 5f\n", "", ALIGN32 "5: addi 5,5,1\n addi 6,6,-1\n cmpdi 6,0\n beq 6f\n mflr 7\n" \
	     "stdu 7,-16(12)\n bl 5b\n ld 7,0(12)\n addi 12,12,16\n mtlr 7\n 6: blr\n")
NEST(8)
NEST(24)
NEST(48)
NEST(96)

/* What a byte of a row says: r4 is a struct walk of probes.c. */
#define WALK "ld 7,0(4)\n ld 8,8(4)\n ld 9,16(4)\n"
#define NEXT "lbzx 6,8,7\n addi 7,7,1\n rldicl 7,7,0,47\n"
#define WALKED "std 7,0(4)\n"
ARRANGED(direction, WALK, NEXT "cmpwi 6,0\n beq 2f\n addi 5,5,1\n 2: addi 10,10,1\n", WALKED, "")
ARRANGED(return_blr, WALK, NEXT "cmpwi 6,0\n beq 2f\n bl 5f\n b 3f\n" ALIGN16 "2: bl 5f\n 3:\n", WALKED, ALIGN32 "5: addi 5,5,1\n blr\n")
ARRANGED(return_bctr, WALK, NEXT "cmpwi 6,0\n beq 2f\n bl 5f\n b 3f\n" ALIGN16 "2: bl 5f\n 3:\n", WALKED,
     ALIGN32 "5: mflr 6\n mtctr 6\n addi 5,5,1\n bctr\n")
#define HERE "bcl 20,31,.+4\n 6: mflr 6\n addi 6,6,7f-6b\n mtlr 6\n b 5f\n 7:\n"
ARRANGED(return_unpaired, WALK, NEXT "cmpwi 6,0\n beq 2f\n" HERE "b 3f\n" ALIGN16 "2:" HERE "3:\n", WALKED, ALIGN32 "5: addi 5,5,1\n blr\n")
#define HANDLER(n) ALIGN16 n " addi 5,5,1\n b 3f\n"
#define HANDLERS4 HANDLER("") HANDLER("") HANDLER("") HANDLER("")
ARRANGED(dispatch, WALK, NEXT "sldi 6,6,4\n" AT(9, 4f) "add 6,9,6\n mtctr 6\n bctr\n" ALIGN16 "4:\n" HANDLERS4 HANDLERS4 HANDLERS4 HANDLERS4 "3:\n",
     WALKED, "")
ARRANGED(compares, WALK, NEXT "cmpdi 6,0\n beq 4f\n cmpdi 6,1\n beq 5f\n cmpdi 6,2\n beq 6f\n cmpdi 6,3\n beq 7f\n" HANDLER("4:") HANDLER("5:")
     HANDLER("6:") HANDLER("7:") "3:\n", WALKED, "")

/* ---- Memory ---- */
ARRANGED(stream, "ld 5,8(4)\n", "ld 6,0(5)\n ld 6,128(5)\n ld 6,256(5)\n ld 6,384(5)\n ld 6,512(5)\n ld 6,640(5)\n ld 6,768(5)\n ld 6,896(5)\n addi 5,5,1024\n", "", "")

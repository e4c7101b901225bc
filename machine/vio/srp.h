/* Information units (IU) of the SCSI RDMA protocol as virtual SCSI has them: requests of at most 256 bytes, big-endian,
 * and the memory that a command is about. ANSI T10/1415-D (SRP); PAPR, "Virtual SCSI". */
#ifndef MACHINE_VIO_SRP_H
#define MACHINE_VIO_SRP_H

#include <stdbool.h>
#include <stdint.h>

#define SRP_MAX_IU      256u
#define SRP_MAX_EXTERNAL 1024u		/* descriptors in a command's table: four times what Linux's longest has */
#define SRP_DESCRIPTOR  16u		/* bytes: address, key, length */
#define SRP_MAX_BYTES   (UINT32_C(16) << 20)	/* of one command, in each direction: eight times what we say we take */

enum srp_opcode {
	SRP_LOGIN_REQ = 0x00, SRP_TSK_MGMT = 0x01, SRP_CMD = 0x02, SRP_I_LOGOUT = 0x03,
	SRP_LOGIN_RSP = 0xc0, SRP_RSP = 0xc1,
};

/* Offsets in an IU, in bytes. */
enum srp_offset {
	SRP_TAG = 8, SRP_LUN = 20,
	SRP_LOGIN_LIMIT = 4, SRP_LOGIN_IT_LEN = 16, SRP_LOGIN_TI_LEN = 20, SRP_LOGIN_FORMATS = 24, SRP_LOGIN_SIZE = 52,
	SRP_CMD_SOLICITED = 1, SRP_CMD_FORMATS = 5, SRP_CMD_OUT_COUNT = 6, SRP_CMD_IN_COUNT = 7, SRP_CMD_MORE_CDB = 31,
	SRP_CMD_CDB = 32, SRP_CMD_SIZE = 48,
	SRP_RSP_SOLICITED = 1, SRP_RSP_LIMIT = 4, SRP_RSP_FLAGS = 18, SRP_RSP_STATUS = 19, SRP_RSP_OUT_LEFT = 20,
	SRP_RSP_IN_LEFT = 24, SRP_RSP_SENSE_LEN = 28, SRP_RSP_DATA_LEN = 32, SRP_RSP_SIZE = 36,
	SRP_TSK_FUNCTION = 30, SRP_TSK_TAG = 32, SRP_TSK_SIZE = 48,
};

enum srp_flag { SRP_RSPVALID = 0x01, SRP_SNSVALID = 0x02, SRP_DOOVER = 0x04, SRP_DIOVER = 0x10 };
enum srp_format { SRP_NO_DATA = 0, SRP_DIRECT = 1, SRP_INDIRECT = 2 };	/* login: bit n stands for format n */

static inline uint64_t srp_get(const uint8_t *p, unsigned bytes)
{
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | *p++;
	return v;
}

static inline void srp_put(uint8_t *p, unsigned bytes, uint64_t v)
{
	while (bytes--) {
		p[bytes] = (uint8_t)v;
		v >>= 8;
	}
}

/* Where the descriptors of a command's data are. */
struct srp_place {
	bool out;			/* data goes to the target */
	bool external;			/* they are a table of the guest's, at `table`; else in the IU, from byte `at` on */
	uint64_t table;
	uint32_t at, size;		/* bytes: `size` of whole descriptors; 0: the command has no data */
	uint32_t most;			/* bytes of data that the guest says there are */
};

/* Of the CMD in iu[n]. False: it is not well-formed, has too many descriptors, or data in both directions. */
bool srp_data_place(const uint8_t *iu, uint32_t n, struct srp_place *place);

/* What a command reads or writes in the guest's memory. The descriptors are our copies: what the guest makes of its own
 * afterwards changes nothing. */
struct srp_data {
	uint8_t *descriptor;		/* malloc() */
	uint32_t size;			/* bytes of descriptors */
	uint32_t bytes;			/* of data */
};

/* Counts data->bytes, at most `most`. False: they are more than SRP_MAX_BYTES, or a
 * descriptor goes around the end of addresses. */
bool srp_data_count(struct srp_data *data, uint32_t most);
/* The longest part from byte `at` of the data on, at most `n` bytes, that lies in one piece: its address in the device's
 * window; *got: its length, 0 behind the end. */
uint64_t srp_data_piece(const struct srp_data *data, uint32_t at, uint32_t n, uint32_t *got);

#endif

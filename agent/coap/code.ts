/** Codes of CoAP as RFC 7252 §12.1 writes them; the byte is known here alone. */
export const methods = ["GET", "POST", "PUT", "DELETE", "FETCH", "PATCH", "iPATCH"] as const;
export type Method = (typeof methods)[number];

export const responseCodes = [
  "2.01",
  "2.02",
  "2.03",
  "2.04",
  "2.05",
  "2.31",
  "4.00",
  "4.01",
  "4.02",
  "4.03",
  "4.04",
  "4.05",
  "4.06",
  "4.08",
  "4.09",
  "4.12",
  "4.13",
  "4.15",
  "4.22",
  "4.29",
  "5.00",
  "5.01",
  "5.02",
  "5.03",
  "5.04",
  "5.05",
] as const;
export type ResponseCode = (typeof responseCodes)[number];

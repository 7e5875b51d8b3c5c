"""Pictures in, faces out: safe decoding, the face detector, the crop that the network expects."""

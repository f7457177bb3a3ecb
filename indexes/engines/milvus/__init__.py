"""Collections on Milvus, a server or a cluster of them, and on milvus-lite, one file, through `pymilvus`."""

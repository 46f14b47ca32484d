"""Reads the training data that zhbert has converted, as the programs that they are written for do, and prints them as JSON.

real_data.py tfrecord LENGTH PREDICTIONS FILE...   tf.data with the features of Google's run_pretraining.py
real_data.py parquet FILE                          pyarrow
real_data.py paddlenlp NAME                        NumPy, as data_tools/dataset_utils.py of PaddleNLP reads _ids.npy and _idx.npz
real_data.py megatron NAME                         NumPy, as indexed_dataset.py of Megatron-LM reads .bin and .idx
real_data.py reference TEXT REFERENCES             json, as run_mlm_wwm.py of Transformers' research projects does
"""

import json
import os
import struct
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def tfrecord(length, predictions, *files):
    import tensorflow as tf

    length, predictions = int(length), int(predictions)
    features = {
        "input_ids": tf.io.FixedLenFeature([length], tf.int64),
        "input_mask": tf.io.FixedLenFeature([length], tf.int64),
        "segment_ids": tf.io.FixedLenFeature([length], tf.int64),
        "masked_lm_positions": tf.io.FixedLenFeature([predictions], tf.int64),
        "masked_lm_ids": tf.io.FixedLenFeature([predictions], tf.int64),
        "masked_lm_weights": tf.io.FixedLenFeature([predictions], tf.float32),
        "next_sentence_labels": tf.io.FixedLenFeature([1], tf.int64),
    }
    dataset = tf.data.TFRecordDataset(list(files)).map(lambda record: tf.io.parse_single_example(record, features))
    return [{name: value.tolist() for name, value in row.items()} for row in dataset.as_numpy_iterator()]


def parquet(path):
    import pyarrow.parquet

    return pyarrow.parquet.read_table(path).to_pylist()


def parted(sentences, documents):
    return [sentences[first:last] for first, last in zip(documents[:-1], documents[1:])]


def paddlenlp(name):
    import numpy

    ids = numpy.load(name + "_ids.npy", mmap_mode="r", allow_pickle=True)
    index = numpy.load(name + "_idx.npz")
    ends = numpy.cumsum(index["lens"])
    assert index["lens"].dtype == numpy.int32 and index["docs"].dtype == numpy.int64
    assert ends[-1] == len(ids)
    sentences = [ids[end - length : end].tolist() for end, length in zip(ends, index["lens"])]
    return parted(sentences, index["docs"].tolist())


# DType of indexed_dataset.py.
MEGATRON_TYPES = {1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float64", 7: "float32", 8: "uint16"}


def megatron(name):
    import numpy

    with open(name + ".idx", "rb") as file:
        assert file.read(9) == b"MMIDIDX\x00\x00"
        assert struct.unpack("<Q", file.read(8)) == (1,)
        dtype = numpy.dtype(MEGATRON_TYPES[struct.unpack("<B", file.read(1))[0]])
        (count,) = struct.unpack("<Q", file.read(8))
        (document_count,) = struct.unpack("<Q", file.read(8))
        offset = file.tell()
    index = numpy.memmap(name + ".idx", mode="r", order="C")
    lengths = numpy.frombuffer(index, dtype=numpy.int32, count=count, offset=offset)
    pointers = numpy.frombuffer(index, dtype=numpy.int64, count=count, offset=offset + lengths.nbytes)
    places = offset + lengths.nbytes + pointers.nbytes
    documents = numpy.frombuffer(index, dtype=numpy.int64, count=document_count, offset=places)
    assert lengths.shape[0] == count and lengths.shape[0] == documents[-1]
    tokens = numpy.memmap(name + ".bin", mode="r", order="C")
    sentences = [
        numpy.frombuffer(tokens, dtype=dtype, count=length, offset=pointer).tolist()
        for length, pointer in zip(lengths, pointers)
    ]
    return parted(sentences, documents.tolist())


def reference(text, references):
    with open(text, encoding="utf-8") as file:
        lines = [line for line in file.read().splitlines() if len(line) > 0 and not line.isspace()]
    with open(references, encoding="utf-8") as file:
        positions = [json.loads(line) for line in file.read().splitlines() if len(line) > 0 and not line.isspace()]
    assert len(lines) == len(positions)
    return [{"text": line, "chinese_ref": places} for line, places in zip(lines, positions)]


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))

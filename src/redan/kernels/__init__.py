"""The mathematics and the parsers of Redan: tensors or bytes in, tensors or bytes out; no kernel knows a finding."""

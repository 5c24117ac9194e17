"""Can a robust accuracy be trusted? Checks that each print a number, repairs, and one verdict.

Sources: Athalye, Carlini, Wagner, "Obfuscated gradients give a false sense of security", ICML 2018, section 3.1;
Carlini et al., "On evaluating adversarial robustness", arXiv 1902.06705, section 5; Tramèr, Carlini, Brendel, Madry,
"On adaptive attacks to adversarial example defenses", NeurIPS 2020; Pintor et al., "Indicators of attack failure:
debugging and improving optimization of adversarial examples", NeurIPS 2022, section 3.
"""

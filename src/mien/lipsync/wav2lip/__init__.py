"""Wav2Lip: a voice moves the mouth of somebody filmed.

A network (Prajwal et al., "A Lip Sync Expert Is All You Need for Speech to Lip Generation In The
Wild", 2020) paints the lower half of a face from 0.2 s of sound and a picture of the face. Half of
what it computes depends on the picture alone; here that is computed once per picture of a clip, and
only the half that shows is painted.
"""
